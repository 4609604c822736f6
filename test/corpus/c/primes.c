#include <stdbool.h>
#include <stdio.h>

enum { LIMIT = 5000 };

int main(void) {
    static bool composite[LIMIT + 1];
    int count = 0, last = 0;
    for (int i = 2; i <= LIMIT; i++) {
        if (composite[i]) continue;
        count++;
        last = i;
        for (int j = i * i; j <= LIMIT; j += i) composite[j] = true;
    }
    printf("%d primes up to %d, the last is %d\n", count, LIMIT, last);
    return 0;
}
