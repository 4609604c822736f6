package shapes

sealed trait Shape {
  def name: String
  def area: Double
}

case class Square(side: Double) extends Shape {
  val name = "square"
  val area: Double = side * side
}

case class Circle(radius: Double) extends Shape {
  val name = "circle"
  val area: Double = math.Pi * radius * radius
}
