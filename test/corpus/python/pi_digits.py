from itertools import islice


def pi_digits():
    """Gibbons' unbounded spigot."""
    q, r, t, k, m, x = 1, 0, 1, 1, 3, 3
    while True:
        if 4 * q + r - t < m * t:
            yield m
            q, r, m = 10 * q, 10 * (r - m * t), 10 * (3 * q + r) // t - 10 * m
        else:
            q, r, t, k, m, x = q * k, (2 * q + r) * x, t * x, k + 1, (q * (7 * k + 2) + r * x) // (t * x), x + 2


digits = "".join(map(str, islice(pi_digits(), 100)))
for start in range(0, 100, 10):
    print(f"{digits[start:start + 10]}\t:{start + 10}")
