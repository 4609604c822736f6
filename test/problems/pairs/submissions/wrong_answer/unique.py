numbers = input().split()
print(len(numbers) - len(set(numbers)) + 7)
