import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { Events } from '#libs/nats/events.ts';
import { createWakeups } from './wakeups.ts';

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Events that never arrive. */
const silent = {
  publish() {},
  subscribe: () => ({ [Symbol.dispose]() {} }),
  onConnect: () => ({ [Symbol.dispose]() {} }),
  connected: () => true,
} as unknown as Events;

test('however many wait for news that were lost, all look again, a few of them at a time', async () => {
  using wakeups = createWakeups(silent);
  const waiters = 1_000;
  let looks = 0;
  let ended = false;
  const answers = Array.from({ length: waiters }, (_, n) =>
    wakeups.until(`id-${n}`, new AbortController().signal, async () => {
      looks += 1;
      return ended ? n : undefined;
    }),
  );
  await vi.advanceTimersByTimeAsync(4_500);
  expect(looks).toBe(waiters);
  let most = 0;
  for (let second = 0; second < 20; second++) {
    const before = looks;
    await vi.advanceTimersByTimeAsync(1_000);
    most = Math.max(most, looks - before);
  }
  expect(most).toBe(200);
  expect(looks).toBeGreaterThanOrEqual(4 * waiters);
  ended = true;
  await vi.advanceTimersByTimeAsync(10_000);
  expect(await Promise.all(answers)).toHaveLength(waiters);
});

test('who is woken looks at once, and who gives up looks no more', async () => {
  using wakeups = createWakeups(silent);
  const leave = new AbortController();
  let looks = 0;
  const waiting = wakeups.until('id', leave.signal, async () => {
    looks += 1;
    return undefined;
  });
  waiting.catch(() => {});
  await vi.advanceTimersByTimeAsync(0);
  wakeups.publish('id');
  await vi.advanceTimersByTimeAsync(0);
  expect(looks).toBe(2);
  leave.abort();
  await expect(waiting).rejects.toThrow('abort');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(looks).toBe(2);
});
