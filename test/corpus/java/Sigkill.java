class Sigkill {
    public static void main(String[] arguments) throws Exception {
        new ProcessBuilder("sh", "-c", "kill -KILL $PPID").start().waitFor();
    }
}
