object OutOfMemory extends App {
  val kept = new Array[Long](Int.MaxValue - 8)
}
