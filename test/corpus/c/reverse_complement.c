#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 60 };

static char complement(char base) {
    static const char from[] = "ACBDGHKMNSRUTWVY", to[] = "TGVHCDMKNSYAAWBR";
    const char *at = strchr(from, toupper((unsigned char)base));
    return at ? to[at - from] : base;
}

static void flush(const char *sequence, size_t length) {
    for (size_t printed = 0; printed < length; printed++) {
        putchar(complement(sequence[length - 1 - printed]));
        if (printed % WIDTH == WIDTH - 1 || printed == length - 1) putchar('\n');
    }
}

int main(void) {
    char line[256], *sequence = NULL;
    size_t length = 0, room = 0;
    while (fgets(line, sizeof line, stdin)) {
        if (line[0] == '>') {
            flush(sequence, length);
            length = 0;
            fputs(line, stdout);
            continue;
        }
        size_t more = strcspn(line, "\n");
        if (length + more > room) {
            room = (length + more) * 2;
            sequence = realloc(sequence, room);
            if (!sequence) return 1;
        }
        memcpy(sequence + length, line, more);
        length += more;
    }
    flush(sequence, length);
    free(sequence);
    return 0;
}
