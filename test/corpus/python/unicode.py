import sys

print("Ahoj, světe ✓")
for line in sys.stdin:
    line = line.rstrip("\n")
    print(len(line), line[::-1])
