import sys

number = int(open(sys.argv[1]).read())


def refuse(message):
    print(message, file=sys.stderr)
    sys.exit(43)


for _ in range(10):
    line = sys.stdin.readline()
    if not line.strip().isdigit():
        refuse("a number is wanted")
    guess = int(line)
    print("correct" if guess == number else "lower" if number < guess else "higher", flush=True)
    if guess == number:
        sys.exit(42)
refuse("more than 10 guesses")
