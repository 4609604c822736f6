import { expect, test } from 'vitest';
import { keepUpTo } from './step.ts';

const MiB = 1024 * 1024;

test('output is kept up to its limit, however it comes', () => {
  for (const pieces of [['a', 'bc', '', 'defg'], ['abcdefg'], [...'abcdefg']]) {
    const kept = keepUpTo(5);
    for (const piece of pieces) kept.push(Buffer.from(piece));
    expect(kept.bytes().toString()).toBe('abcde');
  }
  expect(keepUpTo(5).bytes()).toHaveLength(0);
});

test('output that comes byte by byte takes no more memory than output at once', () => {
  const kept = keepUpTo(4 * MiB);
  const before = process.memoryUsage();
  for (let at = 0; at < 4 * MiB; at++) kept.push(Uint8Array.of(at));
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  expect(kept.bytes()).toHaveLength(4 * MiB);
  expect(heapUsed - before.heapUsed).toBeLessThan(150 * MiB);
  expect(arrayBuffers).toBeGreaterThan(0);
});
