#include <stdio.h>

int main(void) {
    int count;
    if (scanf("%d", &count) != 1 || count < 1) return 1;
    long sum = 0, largest = 0;
    for (int i = 0; i < count; i++) {
        long number;
        if (scanf("%ld", &number) != 1) return 1;
        sum += number;
        if (i == 0 || number > largest) largest = number;
    }
    printf("sum: %ld\nlargest: %ld\nmean: %.2f\n", sum, largest, (double)sum / count);
    return 0;
}
