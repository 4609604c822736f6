#include <iostream>
#include <vector>

int main() {
    std::cout << "before" << std::endl;
    const std::vector<int> berths;
    std::cout << berths.at(2) << '\n';
}
