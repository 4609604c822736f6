#include <algorithm>
#include <iomanip>
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    std::size_t count;
    std::cin >> count;
    std::vector<long> numbers(count);
    for (auto& number : numbers) std::cin >> number;
    const long sum = std::accumulate(numbers.begin(), numbers.end(), 0L);
    std::cout << "sum: " << sum << '\n'
              << "largest: " << *std::max_element(numbers.begin(), numbers.end()) << '\n'
              << "mean: " << std::fixed << std::setprecision(2) << static_cast<double>(sum) / count << '\n';
}
