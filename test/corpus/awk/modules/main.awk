@include "shapes.awk"

BEGIN { printf "square: %.2f\ncircle: %.2f\n", square(3), circle(2) }
