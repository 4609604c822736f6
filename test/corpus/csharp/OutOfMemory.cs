using System.Collections.Generic;

class Program
{
    static void Main()
    {
        var kept = new List<long[]>();
        while (true)
            kept.Add(new long[0x7fffff00]);
    }
}
