object OutOfMemory extends App {
  val kept = Iterator.continually(new Array[Byte](1 << 20)).toList
}
