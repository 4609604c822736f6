#include <assert.h>
#include <stdio.h>

int main(void) {
    int berths = 0;
    puts("before");
    fflush(stdout);
    assert(berths > 0);
    return 0;
}
