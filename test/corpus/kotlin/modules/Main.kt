import shapes.Circle
import shapes.Square

fun main() {
    for (shape in listOf(Square(3.0), Circle(2.0))) println("${shape.name}: %.2f".format(shape.area))
}
