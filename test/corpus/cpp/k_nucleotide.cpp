#include <algorithm>
#include <cctype>
#include <iomanip>
#include <iostream>
#include <string>
#include <unordered_map>
#include <vector>

using Counts = std::unordered_map<std::string, int>;

static Counts frequencies(const std::string &sequence, std::size_t length) {
    Counts counts;
    for (std::size_t i = 0; i + length <= sequence.size(); i++) counts[sequence.substr(i, length)]++;
    return counts;
}

int main() {
    std::string line, sequence;
    while (std::getline(std::cin, line) && line.rfind(">THREE", 0) != 0) {}
    while (std::getline(std::cin, line))
        std::transform(line.begin(), line.end(), std::back_inserter(sequence), [](unsigned char c) { return std::toupper(c); });

    std::cout << std::fixed << std::setprecision(3);
    for (std::size_t length : {1, 2}) {
        const Counts counts = frequencies(sequence, length);
        std::vector<std::pair<std::string, int>> sorted(counts.begin(), counts.end());
        std::sort(sorted.begin(), sorted.end(),
                  [](const auto &a, const auto &b) { return a.second != b.second ? a.second > b.second : a.first < b.first; });
        for (const auto &[key, count] : sorted)
            std::cout << key << ' ' << 100.0 * count / (sequence.size() - length + 1) << '\n';
        std::cout << '\n';
    }
    for (const std::string key : {"GGT", "GGTA", "GGTATT", "GGTATTTTAATT"})
        std::cout << frequencies(sequence, key.size())[key] << '\t' << key << '\n';
}
