using System;
using System.Linq;

class Program
{
    static void Main()
    {
        Console.WriteLine("Ahoj, světe ✓");
        string line;
        while ((line = Console.ReadLine()) != null)
            Console.WriteLine($"{line.Length} {string.Concat(line.Reverse())}");
    }
}
