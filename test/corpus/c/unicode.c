#include <locale.h>
#include <stdio.h>
#include <wchar.h>

int main(void) {
    wchar_t line[256];
    setlocale(LC_ALL, "");
    wprintf(L"Ahoj, světe ✓\n");
    while (fgetws(line, 256, stdin)) {
        size_t length = wcscspn(line, L"\n");
        wprintf(L"%zu ", length);
        for (size_t i = length; i > 0; i--) putwchar(line[i - 1]);
        putwchar(L'\n');
    }
    return 0;
}
