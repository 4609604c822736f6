// Gibbons' unbounded spigot.
function* piDigits() {
  let [q, r, t, k, m, x] = [1n, 0n, 1n, 1n, 3n, 3n];
  for (;;) {
    if (4n * q + r - t < m * t) {
      yield m;
      [q, r, m] = [10n * q, 10n * (r - m * t), (10n * (3n * q + r)) / t - 10n * m];
    } else {
      [q, r, t, k, m, x] = [
        q * k, (2n * q + r) * x, t * x, k + 1n, (q * (7n * k + 2n) + r * x) / (t * x), x + 2n,
      ];
    }
  }
}

let line = '';
let count = 0;
for (const digit of piDigits()) {
  line += digit;
  count++;
  if (count % 10 === 0) {
    console.log(`${line}\t:${count}`);
    line = '';
  }
  if (count === 100) break;
}
