import java.util.List;
import shapes.Circle;
import shapes.Shape;
import shapes.Square;

public class Main {
    public static void main(String[] args) {
        for (Shape shape : List.of(new Square(3), new Circle(2)))
            System.out.printf("%s: %.2f%n", shape.name(), shape.area());
    }
}
