import { expect, test } from 'vitest';
import { isId, newId } from './ids.ts';

test('an id has its prefix and sorts by the time it was made', () => {
  const [first, second] = [newId('sbx', 1_000), newId('sbx', 2_000)];
  expect(isId('sbx', first)).toBe(true);
  expect(isId('exe', first)).toBe(false);
  expect(first < second).toBe(true);
});

test.each(['', 'sbx_', 'sbx_short', `sbx_${'u'.repeat(26)}`, `${newId('sbx')}\n`, newId('sbx').toUpperCase()])(
  '%j is not an id',
  (value) => expect(isId('sbx', value)).toBe(false),
);
