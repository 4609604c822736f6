#include <algorithm>
#include <iostream>
#include <numeric>
#include <vector>

int main() {
    const int n = 7;
    std::vector<int> permutation(n), counts(n), flipped;
    std::iota(permutation.begin(), permutation.end(), 0);
    int most = 0, checksum = 0, index = 0;

    for (bool more = true; more; index++) {
        flipped = permutation;
        int flips = 0;
        for (; flipped[0] != 0; flips++) std::reverse(flipped.begin(), flipped.begin() + flipped[0] + 1);
        most = std::max(most, flips);
        checksum += index % 2 == 0 ? flips : -flips;

        more = false;
        for (int i = 1; i < n && !more; i++) {
            std::rotate(permutation.begin(), permutation.begin() + 1, permutation.begin() + i + 1);
            more = ++counts[i] <= i;
            if (!more) counts[i] = 0;
        }
    }
    std::cout << checksum << "\nPfannkuchen(" << n << ") = " << most << '\n';
}
