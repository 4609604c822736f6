object Sleep {
  def main(arguments: Array[String]): Unit = Thread.sleep(60000)
}
