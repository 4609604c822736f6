import { expect, test } from 'vitest';
import { numberOf, printedPoints } from './protocols.ts';

test.each([
  ['points 4', 4],
  ['points 4.50 well done', 4.5],
  ['points 1e2\nmore', 100],
  ['points  0', 0],
  ['points -1', Number.NaN],
  ['points', Number.NaN],
  ['points 4x', Number.NaN],
  ['no points 4', Number.NaN],
  ['points Infinity', Number.NaN],
  ['points 1e999', Number.NaN],
  [`points ${'9'.repeat(300)}`, Number.NaN],
  ['', Number.NaN],
])('what is printed as %j is %d', (text, points) => {
  expect(printedPoints({ stderr: Buffer.from(text) })).toBe(points);
});

test.each([
  ['1', 1],
  ['1.', 1],
  ['0.25', 0.25],
  ['0x10', Number.NaN],
  [' 1', Number.NaN],
  ['1 2', Number.NaN],
])('a score of %j is %d', (text, points) => {
  expect(numberOf(text)).toBe(points);
});
