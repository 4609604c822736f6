import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { type DiskCache, HASH_INSIDE, openDiskCache } from './disk-cache.ts';

const KiB = 1024;
const log = createLogger('test');
let directory: string;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'dd-cache-'));
});
afterEach(() => rm(directory, { recursive: true }));

async function opened(maxBytes = 10 * KiB): Promise<DiskCache> {
  return await openDiskCache({ cache: 'artifacts', directory, maxBytes, verifier: HASH_INSIDE, log });
}

async function put(cache: DiskCache, name: string, bytes = KiB): Promise<boolean> {
  await using draft = await cache.create(name);
  for (let at = 0; at < bytes; at += KiB) if (!(await draft.write(Buffer.alloc(KiB, name)))) return false;
  await draft.commit();
  return true;
}

async function get(cache: DiskCache, name: string, start = 0): Promise<string | undefined> {
  await using entry = await cache.find(name);
  if (!entry) return undefined;
  const pieces: Buffer[] = [];
  for await (const piece of entry.read(start)) pieces.push(piece);
  return Buffer.concat(pieces).toString();
}

test('an entry is found again, also by the next process, from any place in it', async () => {
  await put(await opened(), 'a', 3 * KiB);
  const next = await opened();
  expect(await get(next, 'a')).toBe('a'.repeat(3 * KiB));
  expect(await get(next, 'a', 3 * KiB - 2)).toBe('aa');
  expect(await get(next, 'b')).toBeUndefined();
});

test('the least recently used are evicted, also where the cache has become smaller', async () => {
  const cache = await opened(4 * KiB);
  for (const name of ['a', 'b', 'c']) await put(cache, name);
  await get(cache, 'a');
  await put(cache, 'd');
  expect(await Promise.all(['a', 'b', 'c', 'd'].map(async (name) => [name, !!(await get(cache, name))]))).toEqual([
    ['a', true],
    ['b', false],
    ['c', true],
    ['d', true],
  ]);
  await opened(2 * KiB);
  expect((await readdir(directory)).length).toBe(1);
});

test('what is larger than the cache is not kept, and pushes nothing out that was written since', async () => {
  const cache = await opened(4 * KiB);
  expect(await put(cache, 'large', 5 * KiB)).toBe(false);
  expect(await readdir(directory)).toEqual([]);
  expect(await put(cache, 'small')).toBe(true);
});

test('a damaged entry, one that was cut and one that was never finished are not found, and are removed', async () => {
  const cache = await opened();
  for (const name of ['damaged', 'cut']) await put(cache, name);
  const bytes = await readFile(join(directory, 'damaged'));
  bytes[500]! ^= 1;
  await writeFile(join(directory, 'damaged'), bytes);
  await writeFile(join(directory, 'cut'), (await readFile(join(directory, 'cut'))).subarray(0, 100));
  await writeFile(join(directory, 'torn.0.draft'), 'x');
  const next = await opened();
  expect([await get(next, 'damaged'), await get(next, 'cut')]).toEqual([undefined, undefined]);
  expect(await readdir(directory)).toEqual([]);
});

test('an entry is read to its end although it is evicted meanwhile', async () => {
  const cache = await opened(4 * KiB);
  await put(cache, 'a', 2 * KiB);
  await using entry = (await cache.find('a'))!;
  await put(cache, 'b', 3 * KiB);
  expect(await get(cache, 'a')).toBeUndefined();
  const pieces: Buffer[] = [];
  for await (const piece of entry.read(0)) pieces.push(piece);
  expect(Buffer.concat(pieces).toString()).toBe('a'.repeat(2 * KiB));
});

test('two that write the same at once leave one', async () => {
  const cache = await opened();
  await Promise.all([put(cache, 'a', 2 * KiB), put(cache, 'a', 2 * KiB)]);
  expect(await readdir(directory)).toEqual(['a']);
  expect(await get(cache, 'a')).toBe('a'.repeat(2 * KiB));
});

test('entries are removed by the beginning of their names', async () => {
  const cache = await opened();
  for (const name of ['x-1', 'x-2', 'y-1']) await put(cache, name);
  await using draft = await cache.create('x-3');
  await draft.write(Buffer.from('late'));
  await cache.remove('x-');
  await draft.commit();
  expect(await readdir(directory)).toEqual(['y-1']);
  expect(cache.bytes()).toBe(KiB + 32);
});
