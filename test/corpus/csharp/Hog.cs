using System.Collections.Generic;

static class Hog {
    static void Main() {
        var kept = new List<string>();
        while (true) kept.Add(new string('x', 1 << 20));
    }
}
