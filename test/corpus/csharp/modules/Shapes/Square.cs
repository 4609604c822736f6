namespace Shapes
{
    public class Square : IShape
    {
        private readonly double side;

        public Square(double side) => this.side = side;

        public string Name => "square";
        public double Area => side * side;
    }
}
