public class OutOfMemory {
    public static void main(String[] args) {
        var kept = new long[Integer.MAX_VALUE - 8];
        System.out.println(kept.length);
    }
}
