import java.math.BigInteger;

/** A spigot over big integers. */
public class PiDigits {
    private BigInteger q = BigInteger.ONE, r = BigInteger.ZERO, t = BigInteger.ONE;
    private int k = 0;

    private BigInteger extract(long at) {
        return q.multiply(BigInteger.valueOf(at)).add(r).divide(t);
    }

    private void consume() {
        k++;
        BigInteger odd = BigInteger.valueOf(2L * k + 1);
        r = q.add(q).add(r).multiply(odd);
        t = t.multiply(odd);
        q = q.multiply(BigInteger.valueOf(k));
    }

    private int next() {
        for (;; consume()) {
            BigInteger digit = extract(3);
            if (k > 0 && digit.equals(extract(4))) {
                q = q.multiply(BigInteger.TEN);
                r = r.subtract(digit.multiply(t)).multiply(BigInteger.TEN);
                return digit.intValue();
            }
        }
    }

    public static void main(String[] args) {
        PiDigits digits = new PiDigits();
        for (int count = 1; count <= 100; count++) {
            System.out.print(digits.next());
            if (count % 10 == 0) System.out.print("\t:" + count + "\n");
        }
    }
}
