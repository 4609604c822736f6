count = int(input())
numbers = []
while len(numbers) < count:
    numbers += map(int, input().split())
print("sum:", sum(numbers))
print("largest:", max(numbers))
print(f"mean: {sum(numbers) / count:.2f}")
