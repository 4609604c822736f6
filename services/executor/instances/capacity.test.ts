import { expect, test } from 'vitest';
import { createCapacity } from './capacity.ts';

const MiB = 1024 * 1024;
const share = (memoryMiB: number, processes: number) => ({ memoryBytes: memoryMiB * MiB, processes });
const open = (maxSandboxes = 10) => createCapacity({ maxSandboxes, memoryBytes: 1024 * MiB, processes: 1_000 });
const full = { reason: 'NO_CAPACITY', details: { retryAfterMs: 1_000 } };

test.each([
  ['sandboxes', share(1, 1), 10],
  ['memory', share(512, 1), 2],
  ['processes', share(1, 400), 2],
])('gives out %s up to the limit, and again what was given back', async (_, each, times) => {
  const capacity = open();
  const reservations = await Promise.all(Array.from({ length: times }, () => capacity.reserve(each)));
  await expect(capacity.reserve(each)).rejects.toMatchObject(full);
  expect(capacity.fits(each)).toBe(false);
  reservations[0]![Symbol.dispose]();
  await capacity.reserve(each);
});

test('a sandbox that takes more processes leaves others less', async () => {
  const capacity = open();
  const reservation = await capacity.reserve(share(1, 400));
  await reservation.resize(share(1, 900));
  await expect(capacity.reserve(share(1, 101))).rejects.toMatchObject(full);
  using other = await capacity.reserve(share(1, 100));
  await expect(reservation.resize(share(1, 901))).rejects.toMatchObject(full);
  expect(reservation.share).toEqual(share(1, 900));
  other[Symbol.dispose]();
  await reservation.resize(share(1, 1_000));
});

test('idle ones give way to whom lacks processes', async () => {
  const capacity = open();
  const idle = await capacity.reserve(share(1, 900));
  using _ = capacity.reclaimFrom(async () => {
    idle[Symbol.dispose]();
    return true;
  });
  await capacity.reserve(share(1, 900));
});

test('what exists already is counted even above the limit', async () => {
  const capacity = open();
  capacity.occupy(share(1, 4_096));
  expect(capacity.fits(share(1, 1))).toBe(false);
  expect(capacity.freeMemoryBytes()).toBe(1023 * MiB);
});

test('others without a reservation count', () => {
  const capacity = open();
  expect(capacity.fits(share(1, 400), [share(1, 600)])).toBe(true);
  expect(capacity.fits(share(1, 400), [share(1, 601)])).toBe(false);
});
