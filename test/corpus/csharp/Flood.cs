static class Flood {
    static void Main() {
        while (true) System.Console.WriteLine("harbour");
    }
}
