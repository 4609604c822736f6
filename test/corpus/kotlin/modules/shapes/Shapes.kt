package shapes

sealed class Shape(val name: String) {
    abstract val area: Double
}

class Square(private val side: Double) : Shape("square") {
    override val area get() = side * side
}

class Circle(private val radius: Double) : Shape("circle") {
    override val area get() = Math.PI * radius * radius
}
