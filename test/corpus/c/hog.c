#include <stdlib.h>
#include <string.h>

int main(void) {
    const size_t size = 1 << 20;
    char *volatile kept;
    for (;;) kept = memset(malloc(size), 1, size);
}
