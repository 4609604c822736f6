class Sleep {
    public static void main(String[] arguments) throws InterruptedException {
        Thread.sleep(60_000);
    }
}
