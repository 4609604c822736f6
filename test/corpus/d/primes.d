import std.stdio;

void main() {
    enum limit = 5000;
    bool[limit + 1] composite;
    int count, last;
    foreach (i; 2 .. limit + 1) {
        if (composite[i]) continue;
        count++;
        last = i;
        for (int j = i * i; j <= limit; j += i) composite[j] = true;
    }
    writefln("%d primes up to %d, the last is %d", count, limit, last);
}
