class Flood {
    public static void main(String[] arguments) {
        while (true) System.out.println("harbour");
    }
}
