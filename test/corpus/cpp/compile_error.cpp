#include <iostream>

int main() {
    std::cout << harbour << '\n';
}
