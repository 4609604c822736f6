interface Tree {
  readonly left?: Tree;
  readonly right?: Tree;
}

const MIN_DEPTH = 4;
const MAX_DEPTH = 10;

const grow = (depth: number): Tree => (depth === 0 ? {} : { left: grow(depth - 1), right: grow(depth - 1) });
const count = ({ left, right }: Tree): number => (left && right ? 1 + count(left) + count(right) : 1);

console.log(`stretch tree of depth ${MAX_DEPTH + 1}\t check: ${count(grow(MAX_DEPTH + 1))}`);
const kept = grow(MAX_DEPTH);
for (let depth = MIN_DEPTH; depth <= MAX_DEPTH; depth += 2) {
  const trees = 1 << (MAX_DEPTH - depth + MIN_DEPTH);
  let check = 0;
  for (let i = 0; i < trees; i++) check += count(grow(depth));
  console.log(`${trees}\t trees of depth ${depth}\t check: ${check}`);
}
console.log(`long lived tree of depth ${MAX_DEPTH}\t check: ${count(kept)}`);
