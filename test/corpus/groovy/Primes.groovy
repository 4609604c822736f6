int limit = 5000
def composite = new BitSet()
def primes = []
for (int i = 2; i <= limit; i++) {
    if (composite[i]) continue
    primes << i
    for (int j = i * i; j <= limit; j += i) composite.set(j)
}
println "${primes.size()} primes up to $limit, the last is ${primes.last()}"
