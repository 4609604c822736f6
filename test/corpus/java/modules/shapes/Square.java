package shapes;

public record Square(double side) implements Shape {
    public String name() {
        return "square";
    }

    public double area() {
        return side * side;
    }
}
