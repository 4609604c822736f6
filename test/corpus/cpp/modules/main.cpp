#include <cstdio>

#include "shapes/shapes.hpp"

int main() {
    for (const auto &shape : all_shapes()) std::printf("%s: %.2f\n", shape->name(), shape->area());
}
