public class BinaryTrees {
    private static final int MIN_DEPTH = 4;
    private static final int MAX_DEPTH = 10;

    private record Node(Node left, Node right) {
        static Node grow(int depth) {
            return depth == 0 ? new Node(null, null) : new Node(grow(depth - 1), grow(depth - 1));
        }

        int count() {
            return left == null ? 1 : 1 + left.count() + right.count();
        }
    }

    public static void main(String[] args) {
        System.out.printf("stretch tree of depth %d\t check: %d\n", MAX_DEPTH + 1, Node.grow(MAX_DEPTH + 1).count());
        Node kept = Node.grow(MAX_DEPTH);
        for (int depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
            int trees = 1 << (MAX_DEPTH - depth + MIN_DEPTH);
            int check = 0;
            for (int i = 0; i < trees; i++) check += Node.grow(depth).count();
            System.out.printf("%d\t trees of depth %d\t check: %d\n", trees, depth, check);
        }
        System.out.printf("long lived tree of depth %d\t check: %d\n", MAX_DEPTH, kept.count());
    }
}
