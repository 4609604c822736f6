type Vector = Float64Array;

const N = 100;

const element = (i: number, j: number): number => 1 / (((i + j) * (i + j + 1)) / 2 + i + 1);

function multiply(v: Vector, at: (i: number, j: number) => number): Vector {
  return new Float64Array(N).map((_, i) => v.reduce((sum, x, j) => sum + at(i, j) * x, 0));
}

const multiplyBoth = (v: Vector): Vector => multiply(multiply(v, element), (i, j) => element(j, i));
const dot = (a: Vector, b: Vector): number => a.reduce((sum, x, i) => sum + x * b[i]!, 0);

let u: Vector = new Float64Array(N).fill(1);
let v: Vector = u;
for (let i = 0; i < 10; i++) {
  v = multiplyBoth(u);
  u = multiplyBoth(v);
}
console.log(Math.sqrt(dot(u, v) / dot(v, v)).toFixed(9));
