package shapes;

public record Circle(double radius) implements Shape {
    public String name() {
        return "circle";
    }

    public double area() {
        return Math.PI * radius * radius;
    }
}
