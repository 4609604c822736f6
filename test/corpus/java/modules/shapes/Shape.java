package shapes;

public sealed interface Shape permits Circle, Square {
    String name();

    double area();
}
