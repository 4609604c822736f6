using System;
using Shapes;

class Program
{
    static void Main()
    {
        foreach (var shape in new IShape[] { new Square(3), new Circle(2) })
            Console.WriteLine($"{shape.Name}: {shape.Area:F2}");
    }
}
