static class Spin {
    static void Main() {
        while (true) {}
    }
}
