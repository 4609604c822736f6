import java.util.Scanner;
import java.util.stream.LongStream;

public class Input {
    public static void main(String[] args) {
        Scanner in = new Scanner(System.in);
        var statistics = LongStream.generate(in::nextLong).limit(in.nextInt()).summaryStatistics();
        System.out.println("sum: " + statistics.getSum());
        System.out.println("largest: " + statistics.getMax());
        System.out.printf("mean: %.2f%n", statistics.getAverage());
    }
}
