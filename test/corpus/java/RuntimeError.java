public class RuntimeError {
    public static void main(String[] args) {
        System.out.println("before");
        throw new IllegalStateException("the harbour is closed");
    }
}
