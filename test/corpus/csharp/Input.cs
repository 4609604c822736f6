using System;
using System.Linq;

class Program
{
    static void Main()
    {
        var count = int.Parse(Console.ReadLine());
        var numbers = Console.In.ReadToEnd()
            .Split((char[])null, StringSplitOptions.RemoveEmptyEntries)
            .Select(long.Parse)
            .Take(count)
            .ToList();
        Console.WriteLine($"sum: {numbers.Sum()}");
        Console.WriteLine($"largest: {numbers.Max()}");
        Console.WriteLine($"mean: {numbers.Average():F2}");
    }
}
