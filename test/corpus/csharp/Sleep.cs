static class Sleep {
    static void Main() {
        System.Threading.Thread.Sleep(60_000);
    }
}
