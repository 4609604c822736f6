import pino from 'pino';
import { expect, test } from 'vitest';
import { every } from './lifecycle.ts';

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
