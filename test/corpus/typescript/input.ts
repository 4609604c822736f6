import { readFileSync } from 'node:fs';

const [count = 0, ...rest]: number[] = readFileSync(0, 'utf8').trim().split(/\s+/).map(Number);
const numbers = rest.slice(0, count);
const sum = numbers.reduce((total, number) => total + number, 0);
console.log(`sum: ${sum}`);
console.log(`largest: ${Math.max(...numbers)}`);
console.log(`mean: ${(sum / count).toFixed(2)}`);
