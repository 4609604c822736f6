a, b = map(int, input().split())
steps = 0
while a != b:
    a += 1 if a < b else -1
    steps += 1
print(steps)
