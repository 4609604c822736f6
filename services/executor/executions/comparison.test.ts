import { expect, test } from 'vitest';
import type { Comparison } from '#proto/drydock/v1/execution.ts';
import { matches } from './comparison.ts';

const MiB = 1024 * 1024;
const compare = (
  output: string | Buffer,
  expected: string | Buffer,
  comparison: Comparison,
  tolerances = { absolute: 1e-6, relative: 1e-6 },
) => matches(Buffer.from(output), Buffer.from(expected), comparison, tolerances);

test.each<[Comparison, string, string, boolean]>([
  ['TRAILING_SPACE', '1 2 \n3\n\n', '1 2\n3', true],
  ['TRAILING_SPACE', '1 2\n3', '1 2 \n3\n \n', true],
  ['TRAILING_SPACE', '1  2', '1 2', false],
  ['TRAILING_SPACE', ' 1', '1', false],
  ['TRAILING_SPACE', '1\n\n2', '1\n2', false],
  ['TRAILING_SPACE', '1\n2', '1', false],
  ['TRAILING_SPACE', ' \n\n', '', true],
  ['TRAILING_SPACE', '\n1', '1', false],
  ['COMPARISON_UNSPECIFIED', '1\r\n', '1\n', true],
  ['EXACT', '1\n', '1', false],
  ['EXACT', '1\n', '1\n', true],
  ['TOKENS', ' 1\n\n2\t3 ', '1 2 3', true],
  ['TOKENS', '1 2', '12', false],
  ['TOKENS', '1 2', '1', false],
  ['TOKENS', '', ' ', true],
  ['FLOAT', '0.33333333 x', '0.33333334 x', true],
  ['FLOAT', '1000000.5', '1000000.9', true],
  ['FLOAT', '1. .5 +2 1e3', '1 0.5 2.0 1000', true],
  ['FLOAT', '1.1', '1.2', false],
  ['FLOAT', '1.0 extra', '1.0', false],
  ['FLOAT', 'nan', 'NaN', false],
  ['FLOAT', '1e400', '1e401', false],
])('%s: %j against %j is %s', async (comparison, output, expected, result) => {
  expect(await compare(output, expected, comparison)).toBe(result);
});

test.each([
  ['1.05', '1', { absolute: 0.1, relative: 0 }, true],
  ['1.2', '1', { absolute: 0.1, relative: 0 }, false],
  ['109', '100', { absolute: 0, relative: 0.1 }, true],
  ['-109', '-100', { absolute: 0, relative: 0.1 }, true],
  ['0.05', '0', { absolute: 0, relative: 0.1 }, false],
  ['109', '100', { absolute: 0.1, relative: 0 }, false],
  ['1.0', '1', { absolute: 0, relative: 0 }, true],
])('%s is %s within %j: %s', async (output, expected, tolerances, result) => {
  expect(await compare(output, expected, 'FLOAT', tolerances)).toBe(result);
});

test('what is not UTF-8 is not the character that stands for it', async () => {
  for (const comparison of ['EXACT', 'TOKENS', 'TRAILING_SPACE'] as const)
    expect(await compare(Buffer.from([0x61, 0xff]), 'a�', comparison)).toBe(false);
});

test.each<[string, Comparison, string, string]>([
  ['digits that become no number', 'FLOAT', `${'1'.repeat(4 * MiB)}x`, '1'],
  ['spaces that end no line', 'TRAILING_SPACE', `${' '.repeat(4 * MiB)}x`, 'x'],
  ['lines of blanks', 'TRAILING_SPACE', `${' \n'.repeat(2 * MiB)}x`, '\n'],
  ['words that all differ a little', 'FLOAT', '1. '.repeat(1.3 * MiB), '1 '.repeat(1.3 * MiB)],
])('%s take no more than their length, and others go on meanwhile', async (_, comparison, output, expected) => {
  let longest = 0;
  let last = performance.now();
  const watch = setInterval(() => {
    longest = Math.max(longest, performance.now() - last);
    last = performance.now();
  }, 5);
  const started = process.cpuUsage();
  await compare(output, expected, comparison);
  longest = Math.max(longest, performance.now() - last);
  clearInterval(watch);
  const { user, system } = process.cpuUsage(started);
  expect((user + system) / 1_000).toBeLessThan(5_000);
  expect(longest).toBeLessThan(500);
});
