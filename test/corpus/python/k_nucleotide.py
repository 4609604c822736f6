import sys
from collections import Counter

_, _, rest = sys.stdin.read().partition(">THREE")
sequence = "".join(rest.split("\n")[1:]).upper()


def frequencies(length):
    return Counter(sequence[i : i + length] for i in range(len(sequence) - length + 1))


for length in (1, 2):
    counts = frequencies(length)
    for key, count in sorted(counts.items(), key=lambda entry: (-entry[1], entry[0])):
        print(f"{key} {100 * count / counts.total():.3f}")
    print()
for key in ("GGT", "GGTA", "GGTATT", "GGTATTTTAATT"):
    print(f"{frequencies(len(key))[key]}\t{key}")
