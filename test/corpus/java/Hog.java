import java.util.ArrayList;

public class Hog {
    public static void main(String[] args) {
        var kept = new ArrayList<String>();
        while (true) kept.add("x".repeat(1 << 20));
    }
}
