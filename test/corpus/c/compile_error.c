#include <stdio.h>

int main(void) {
    printf("%d berths\n", harbour);
    return 0;
}
