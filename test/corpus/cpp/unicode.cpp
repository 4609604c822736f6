#include <algorithm>
#include <iostream>
#include <locale>
#include <string>

int main() {
    std::ios::sync_with_stdio(false);
    std::locale::global(std::locale(""));
    std::wcin.imbue(std::locale());
    std::wcout.imbue(std::locale());
    std::wcout << L"Ahoj, světe ✓\n";
    for (std::wstring line; std::getline(std::wcin, line);) {
        std::reverse(line.begin(), line.end());
        std::wcout << line.size() << L' ' << line << L'\n';
    }
}
