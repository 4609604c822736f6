import { setTimeout as pause } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { withGrace } from './grace.ts';

test('what is written on a caller’s behalf has its time after the caller left', async () => {
  const caller = new AbortController();
  using patient = withGrace(caller.signal, 50);
  caller.abort();
  expect(patient.signal.aborted).toBe(false);
  await expect.poll(() => patient.signal.aborted).toBe(true);
  expect(patient.signal.reason).toBe(caller.signal.reason);
});

test('a caller that left before is no different', async () => {
  using patient = withGrace(AbortSignal.abort(), 10);
  expect(patient.signal.aborted).toBe(false);
  await expect.poll(() => patient.signal.aborted).toBe(true);
});

test('nothing happens after the writing is done', async () => {
  const caller = new AbortController();
  const patient = withGrace(caller.signal, 1);
  patient[Symbol.dispose]();
  caller.abort();
  await pause(20);
  expect(patient.signal.aborted).toBe(false);
});
