import java.util.Scanner;

public class Unicode {
    public static void main(String[] args) {
        System.out.println("Ahoj, světe ✓");
        Scanner lines = new Scanner(System.in);
        while (lines.hasNextLine()) {
            String line = lines.nextLine();
            System.out.println(line.length() + " " + new StringBuilder(line).reverse());
        }
    }
}
