#include <stdio.h>

#include "shapes.h"

int main(void) {
    printf("square: %.2f\ncircle: %.2f\n", square(3), circle(2));
    return 0;
}
