import scala.io.Source

object Unicode extends App {
  println("Ahoj, světe ✓")
  for (line <- Source.stdin.getLines) println(s"${line.length} ${line.reverse}")
}
