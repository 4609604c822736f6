void main() {
    const int limit = 5000;
    var composite = new bool[limit + 1];
    int count = 0, last = 0;
    for (int i = 2; i <= limit; i++) {
        if (composite[i]) continue;
        count++;
        last = i;
        for (int j = i * i; j <= limit; j += i) composite[j] = true;
    }
    print("%d primes up to %d, the last is %d\n", count, limit, last);
}
