#include "shapes.h"

#include <math.h>

double square(double side) { return side * side; }

double circle(double radius) { return acos(-1) * pow(radius, 2); }
