const SIZE = 60;

function stays(re, im) {
  let [x, y] = [0, 0];
  for (let i = 0; i < 50; i++) {
    [x, y] = [x * x - y * y + re, 2 * x * y + im];
    if (x * x + y * y > 4) return false;
  }
  return true;
}

const lines = ['P1', `${SIZE} ${SIZE}`];
for (let row = 0; row < SIZE; row++) {
  const im = (2 * row) / SIZE - 1;
  lines.push(Array.from({ length: SIZE }, (_, column) => (stays((2 * column) / SIZE - 1.5, im) ? 1 : 0)).join(''));
}
console.log(lines.join('\n'));
