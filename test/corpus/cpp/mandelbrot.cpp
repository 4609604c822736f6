#include <complex>
#include <cstdio>
#include <string>

constexpr int size = 60;

static bool stays(std::complex<double> c) {
    std::complex<double> z;
    for (int i = 0; i < 50; i++) {
        z = {z.real() * z.real() - z.imag() * z.imag() + c.real(), 2.0 * z.real() * z.imag() + c.imag()};
        if (z.real() * z.real() + z.imag() * z.imag() > 4.0) return false;
    }
    return true;
}

int main() {
    std::printf("P1\n%d %d\n", size, size);
    for (int row = 0; row < size; row++) {
        std::string line;
        for (int column = 0; column < size; column++)
            line += stays({2.0 * column / size - 1.5, 2.0 * row / size - 1.0}) ? '1' : '0';
        std::puts(line.c_str());
    }
}
