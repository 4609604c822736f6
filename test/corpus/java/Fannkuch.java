public class Fannkuch {
    private static final int N = 7;

    private static int countFlips(int[] permutation) {
        int[] scratch = permutation.clone();
        int flips = 0;
        while (scratch[0] != 0) {
            for (int i = 0, j = scratch[0]; i < j; i++, j--) {
                int kept = scratch[i];
                scratch[i] = scratch[j];
                scratch[j] = kept;
            }
            flips++;
        }
        return flips;
    }

    private static boolean next(int[] permutation, int[] counts) {
        for (int i = 1; i < N; i++) {
            int first = permutation[0];
            System.arraycopy(permutation, 1, permutation, 0, i);
            permutation[i] = first;
            if (++counts[i] <= i) return true;
            counts[i] = 0;
        }
        return false;
    }

    public static void main(String[] args) {
        int[] permutation = new int[N];
        for (int i = 0; i < N; i++) permutation[i] = i;
        int[] counts = new int[N];
        int checksum = 0, most = 0, sign = 1;
        do {
            int flips = countFlips(permutation);
            checksum += sign * flips;
            sign = -sign;
            most = Math.max(most, flips);
        } while (next(permutation, counts));
        System.out.printf("%d%nPfannkuchen(%d) = %d%n", checksum, N, most);
    }
}
