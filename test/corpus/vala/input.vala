void main() {
    int count = int.parse(stdin.read_line());
    int sum = 0, largest = int.MIN;
    string? line;
    while ((line = stdin.read_line()) != null) {
        foreach (var word in line.strip().split(" ")) {
            sum += int.parse(word);
            largest = int.max(largest, int.parse(word));
        }
    }
    print("sum: %d\nlargest: %d\nmean: %.2f\n", sum, largest, (double) sum / count);
}
