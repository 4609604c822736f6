import scala.io.Source

object Input extends App {
  val words = Source.stdin.getLines.flatMap(_.split(' ')).map(_.toLong)
  val count = words.next().toInt
  val numbers = words.take(count).toVector
  println(s"sum: ${numbers.sum}")
  println(s"largest: ${numbers.max}")
  println(f"mean: ${numbers.sum.toDouble / count}%.2f")
}
