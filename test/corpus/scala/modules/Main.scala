import shapes.{Circle, Square}

object Main extends App {
  for (shape <- Seq(Square(3), Circle(2))) println(f"${shape.name}: ${shape.area}%.2f")
}
