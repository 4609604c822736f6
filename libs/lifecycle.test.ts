import pino from 'pino';
import { expect, test, vi } from 'vitest';
import { abortAfter, every } from './lifecycle.ts';

const log = pino({ level: 'silent' });

test('a trigger during a run makes one more run, and runs never overlap', async () => {
  let running = 0;
  let runs = 0;
  const gates: (() => void)[] = [];
  await using periodic = every(60_000, log, async () => {
    expect(++running).toBe(1);
    runs++;
    await new Promise<void>((resolve) => gates.push(resolve));
    running--;
  });
  periodic.trigger();
  periodic.trigger();
  gates.shift()?.();
  await expect.poll(() => runs).toBe(2);
  gates.shift()?.();
});

test('a failed turn does not end the loop, and disposing waits for the task', async () => {
  let turns = 0;
  let finished = false;
  const periodic = every(1, log, async (signal) => {
    if (++turns === 1) throw new Error('first turn fails');
    await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()));
    finished = true;
  });
  await expect.poll(() => turns).toBe(2);
  await periodic[Symbol.asyncDispose]();
  expect(finished).toBe(true);
});

test('a limit of time aborts its signal when it is over, unless it was disposed before', () => {
  vi.useFakeTimers();
  try {
    const kept = abortAfter(1_000);
    const disposed = abortAfter(1_000);
    disposed[Symbol.dispose]();
    vi.advanceTimersByTime(999);
    expect(kept.signal.aborted).toBe(false);
    vi.advanceTimersByTime(1);
    expect(kept.signal.reason).toMatchObject({ name: 'TimeoutError' });
    expect(disposed.signal.aborted).toBe(false);
    expect(vi.getTimerCount()).toBe(0);
  } finally {
    vi.useRealTimers();
  }
});
