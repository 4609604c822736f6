using System;

namespace Shapes
{
    public class Circle : IShape
    {
        private readonly double radius;

        public Circle(double radius) => this.radius = radius;

        public string Name => "circle";
        public double Area => Math.PI * radius * radius;
    }
}
