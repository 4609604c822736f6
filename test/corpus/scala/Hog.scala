object Hog extends App {
  val kept = Iterator.continually("harbour " * (1 << 17)).toList
}
