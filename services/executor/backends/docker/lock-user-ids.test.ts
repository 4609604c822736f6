import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockUserIds } from './lock-user-ids.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-ids-'));
});
afterEach(() => rm(directory, { recursive: true }));

const lock = (first: number, count: number) => lockUserIds({ first, count }, directory);

test.each([
  ['the same', 5_000, 100],
  ['a part', 5_010, 5],
  ['more', 4_000, 5_000],
  ['the last one', 5_099, 1],
])('while somebody has a range, nobody gets %s of it', async (_, first, count) => {
  await using _held = await lock(5_000, 100);
  await expect(lock(first, count)).rejects.toThrow(
    'EXECUTOR_FIRST_USER_ID: another executor on this host has the user ids 5000 to 5099',
  );
  await using _beside = await lock(5_100, 100);
});

test('a range is free again once it was let go, and whatever else lies there', async () => {
  await writeFile(join(directory, 'README'), '');
  await (await lock(5_000, 100))[Symbol.asyncDispose]();
  await using _held = await lock(5_050, 100);
});

test('what a refused one had begun to lock is free', async () => {
  await using _held = await lock(5_000, 100);
  await expect(lock(4_950, 100)).rejects.toThrow();
  await using _other = await lock(4_950, 50);
});

test('a range that nobody holds any more is free, and nothing is left of it', async () => {
  await writeFile(join(directory, '5000-100-0123456789abcdef'), '');
  await using _held = await lock(5_050, 100);
  expect(await readdir(directory)).toEqual([expect.stringMatching(/^5050-100-/)]);
});

test('of two that ask at the same time for the same range, not both get it', async () => {
  for (let round = 0; round < 50; round++) {
    await using held = new AsyncDisposableStack();
    const got = await Promise.allSettled([lock(5_000, 100), lock(5_000, 100)]);
    for (const each of got) if (each.status === 'fulfilled') held.use(each.value);
    expect(got.map(({ status }) => status)).toContain('rejected');
  }
});
