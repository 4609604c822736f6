MIN_DEPTH, MAX_DEPTH = 4, 10


def grow(depth):
    return (grow(depth - 1), grow(depth - 1)) if depth else ()


def count(tree):
    return 1 + count(tree[0]) + count(tree[1]) if tree else 1


print(f"stretch tree of depth {MAX_DEPTH + 1}\t check: {count(grow(MAX_DEPTH + 1))}")
kept = grow(MAX_DEPTH)
for depth in range(MIN_DEPTH, MAX_DEPTH + 1, 2):
    trees = 1 << (MAX_DEPTH - depth + MIN_DEPTH)
    check = sum(count(grow(depth)) for _ in range(trees))
    print(f"{trees}\t trees of depth {depth}\t check: {check}")
print(f"long lived tree of depth {MAX_DEPTH}\t check: {count(kept)}")
