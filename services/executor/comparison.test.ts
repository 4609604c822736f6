import { expect, test } from 'vitest';
import type { Comparison } from '#proto/drydock/v1/execution.ts';
import { matches } from './comparison.ts';

test.each<[Comparison, string, string, boolean]>([
  ['TRAILING_SPACE', '1 2 \n3\n\n', '1 2\n3', true],
  ['TRAILING_SPACE', '1  2', '1 2', false],
  ['TRAILING_SPACE', ' 1', '1', false],
  ['COMPARISON_UNSPECIFIED', '1\r\n', '1\n', true],
  ['EXACT', '1\n', '1', false],
  ['EXACT', '1\n', '1\n', true],
  ['TOKENS', ' 1\n\n2\t3 ', '1 2 3', true],
  ['TOKENS', '1 2', '12', false],
  ['FLOAT', '0.33333333 x', '0.33333334 x', true],
  ['FLOAT', '1000000.5', '1000000.9', true],
  ['FLOAT', '1.1', '1.2', false],
  ['FLOAT', '1.0 extra', '1.0', false],
  ['FLOAT', 'nan', 'NaN', false],
])('%s: %j against %j is %s', (comparison, output, expected, result) => {
  expect(matches(output, expected, comparison, 1e-6)).toBe(result);
});
