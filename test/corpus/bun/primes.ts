const limit = 5000;
const composite = new Set<number>();
const primes: number[] = [];
for (let i = 2; i <= limit; i++) {
  if (composite.has(i)) continue;
  primes.push(i);
  for (let j = i * i; j <= limit; j += i) composite.add(j);
}
console.log(`${primes.length} primes up to ${limit}, the last is ${primes.at(-1)}`);
