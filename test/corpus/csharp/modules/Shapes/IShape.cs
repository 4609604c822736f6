namespace Shapes
{
    public interface IShape
    {
        string Name { get; }
        double Area { get; }
    }
}
