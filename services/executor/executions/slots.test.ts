import { register } from 'prom-client';
import { beforeEach, expect, test } from 'vitest';
import { createSlots } from './slots.ts';

const never = new AbortController().signal;

// Each test has its own slots, and their gauge.
beforeEach(() => register.clear());

test('waiting callers get freed slots in FIFO order', async () => {
  const slots = createSlots(1);
  const first = await slots.take(never);
  const served: number[] = [];
  const waiting = [1, 2].map(async (n) => {
    const slot = await slots.take(never);
    served.push(n);
    return slot;
  });
  first[Symbol.dispose]();
  first[Symbol.dispose]();
  (await waiting[0]!)[Symbol.dispose]();
  (await waiting[1]!)[Symbol.dispose]();
  expect(served).toEqual([1, 2]);
  expect(slots.used()).toBe(0);
});

test('the queue is short, and the wait is limited', async () => {
  const slots = createSlots(1, 50);
  using _held = await slots.take(never);
  const waiting = Array.from({ length: 9 }, () => slots.take(never));
  await expect(waiting.pop()).rejects.toMatchObject({ reason: 'NO_CAPACITY', details: { retryAfterMs: 1000 } });
  const ends = await Promise.allSettled(waiting);
  expect(ends.map(({ status }) => status)).toEqual(Array.from({ length: 8 }, () => 'rejected'));
  expect(slots.used()).toBe(1);
});

test('a caller that leaves the queue does not delay the next one', async () => {
  const slots = createSlots(1);
  const first = await slots.take(never);
  const leave = new AbortController();
  const left = slots.take(leave.signal);
  const next = slots.take(never);
  leave.abort();
  await expect(left).rejects.toThrow();
  first[Symbol.dispose]();
  (await next)[Symbol.dispose]();
  expect(slots.used()).toBe(0);
});
