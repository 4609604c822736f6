import { expect, test } from 'vitest';
import { readDuration, toMessage, toMs } from './durations.ts';

test.each([
  [{ timeout: '500ms' }, 500],
  [{ timeout: '1.5s' }, 1_500],
  [{ timeout: '10m' }, 600_000],
  [{ timeout: '2h' }, 7_200_000],
  [{ timeoutMs: 250 }, 250],
  [{ timeout: null }, null],
  [{ timeoutMs: null }, null],
  [{}, undefined],
] as const)('%j is %s', (options, ms) => {
  expect(readDuration(options, 'timeout')).toBe(ms);
});

test.each([
  { timeout: '0s' },
  { timeout: '10' },
  { timeout: '-1s' },
  { timeout: '1s ' },
  { timeoutMs: 0 },
  { timeoutMs: -1 },
  { timeoutMs: Number.NaN },
  { timeout: '1s', timeoutMs: 1_000 },
] as object[])('%j is refused', (options) => {
  expect(() => readDuration(options, 'timeout')).toThrow(/^timeout(Ms)? /);
});

test.each([1, 999, 1_000, 1_500, 86_400_000])('%d ms are the same on the way back', (ms) => {
  expect(toMs(toMessage(ms))).toBe(ms);
});
