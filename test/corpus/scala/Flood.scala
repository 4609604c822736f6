object Flood {
  def main(arguments: Array[String]): Unit = while (true) println("harbour")
}
