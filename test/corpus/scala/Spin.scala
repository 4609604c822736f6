object Spin {
  def main(arguments: Array[String]): Unit = while (true) {}
}
