#include <vector>

int main() {
    std::vector<char> kept(1UL << 45);
}
