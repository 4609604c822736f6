import { expect, test } from 'vitest';
import { accountsOf, createTurns } from './user-ids.ts';

test('ids are given in turn, so that one rests for as long as possible', () => {
  const next = createTurns({ first: 100, count: 7 }, 2);
  const none = new Set<number>();
  expect([next(none), next(none), next(none), next(none)]).toEqual([100, 102, 104, 100]);
  expect(next(new Set([102, 104]))).toBe(100);
});

test('where all are taken there is no capacity', () => {
  const next = createTurns({ first: 100, count: 4 }, 2);
  expect(() => next(new Set([100, 102]))).toThrow('no user id left');
  expect(next(new Set([100]))).toBe(102);
});

test('a sandbox names its user', () => {
  const { passwd, group } = accountsOf(2_100_000_000);
  expect(passwd).toContain('\nuser:x:2100000000:2100000000:user:/home/user:/bin/bash\n');
  expect(group).toContain('\nuser:x:2100000000:\n');
});
