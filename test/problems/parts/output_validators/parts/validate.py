import sys

from words import read_parts

total = int(open(sys.argv[1]).read())
flags = dict(zip(sys.argv[4::2], map(int, sys.argv[5::2])))


def refuse(message):
    with open(sys.argv[3] + "judgemessage.txt", "w") as file:
        file.write(message)
    sys.exit(43)


found = read_parts(sys.stdin.read())
if found is None:
    refuse("two numbers are wanted")
if min(found) < flags["smallest"]:
    refuse("a part is too small")
if sum(found) != total:
    refuse("the parts make another sum")
sys.exit(42)
