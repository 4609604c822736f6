import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import pino from 'pino';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { bufferOf, type Data, sizeOf } from '../data.ts';
import { HASH_IN_NAME, openDiskCache } from '../disk-cache.ts';
import { type Blobs, createBlobs, openFiles } from './blobs.ts';

const log = pino({ level: 'silent' });
const MiB = 1024 * 1024;
const ORGANIZATION = 'org_ours';
const never = new AbortController().signal;

let directory: string;
/** What session has, by organisation and hash. */
let stored: Map<string, Buffer>;
let fetched: string[];

beforeEach(async () => {
  directory = await mkdtemp('/tmp/dd-');
  stored = new Map();
  fetched = [];
});
afterEach(() => rm(directory, { recursive: true, force: true }));

async function open(maxBytes = 64 * MiB) {
  const cache = await openDiskCache({ cache: 'blobs', directory, maxBytes, verifier: HASH_IN_NAME, log });
  const session = {
    async *fetchBlob({ sha256 }: { sha256: string }, call?: { caller?: { organizationId: string } | undefined }) {
      const key = `${call?.caller?.organizationId} ${sha256}`;
      fetched.push(key);
      const data = stored.get(key)!;
      for (let at = 0; at === 0 || at < data.length; at += 100_000) yield { data: data.subarray(at, at + 100_000) };
    },
  };
  return { cache, blobs: createBlobs({ cache, session }) };
}

function store(data: Buffer, { organizationId = ORGANIZATION, sha256 = hashOf(data) } = {}): string {
  stored.set(`${organizationId} ${sha256}`, data);
  return sha256;
}

const hashOf = (data: Buffer) => createHash('sha256').update(data).digest('hex');

async function read(blobs: Blobs, sha256: string, organizationId = ORGANIZATION): Promise<Buffer> {
  await using opened = await blobs.open(organizationId, sha256, never);
  const data: Data = opened.data;
  const bytes = await bufferOf(data);
  expect(sizeOf(data)).toBe(bytes.length);
  return bytes;
}

test.each([0, 5, MiB, MiB + 1, 3 * MiB + 7])(
  'a blob of %i bytes is fetched once, and read from the disk from then on',
  async (size) => {
    const { blobs } = await open();
    const data = randomBytes(size);
    const sha256 = store(data);
    for (const _ of [1, 2, 3]) expect((await read(blobs, sha256)).equals(data)).toBe(true);
    expect(fetched).toHaveLength(1);
  },
);

test('those who need a blob at one time share a fetch', async () => {
  const { blobs } = await open();
  const sha256 = store(randomBytes(2 * MiB));
  await Promise.all([read(blobs, sha256), read(blobs, sha256), read(blobs, sha256)]);
  expect(fetched).toHaveLength(1);
});

test('an organisation never reads the copy of another', async () => {
  const { blobs } = await open();
  const data = randomBytes(10);
  const sha256 = store(data);
  store(data, { organizationId: 'org_theirs' });
  await read(blobs, sha256);
  await read(blobs, sha256, 'org_theirs');
  expect(fetched).toEqual([`org_ours ${sha256}`, `org_theirs ${sha256}`]);
});

test.each([10, 2 * MiB])('a copy of %i bytes that was damaged on the disk is fetched again', async (size) => {
  const { blobs } = await open();
  const data = randomBytes(size);
  const sha256 = store(data);
  await read(blobs, sha256);
  await writeFile(join(directory, `${ORGANIZATION}-${sha256}`), Buffer.alloc(size));
  expect((await read(blobs, sha256)).equals(data)).toBe(true);
  expect(fetched).toHaveLength(2);
});

test('other bytes than those asked for are not kept', async () => {
  const { blobs, cache } = await open();
  const sha256 = store(Buffer.from('wrong'), { sha256: hashOf(Buffer.from('right')) });
  await expect(read(blobs, sha256)).rejects.toThrow('other bytes');
  expect(cache.bytes()).toBe(0);
  expect(await readdir(directory)).toEqual([]);
});

test('the disk holds no more than it may, and what was used last stays', async () => {
  const { blobs, cache } = await open(3 * MiB);
  const [a, b, c, d] = [1, 2, 3, 4].map(() => store(randomBytes(MiB))) as [string, string, string, string];
  for (const sha256 of [a, b, c, a, d]) await read(blobs, sha256);
  expect(cache.bytes()).toBe(3 * MiB);
  expect((await readdir(directory)).sort()).toEqual([a, c, d].map((sha256) => `${ORGANIZATION}-${sha256}`).sort());
});

test('blobs that do not fit together while they are fetched are fetched one after the other', async () => {
  const { blobs, cache } = await open(3 * MiB);
  const all = [1, 2, 3].map(() => randomBytes(2 * MiB));
  const read = await Promise.all(
    all.map(async (data) => {
      await using opened = await blobs.open(ORGANIZATION, store(data), never);
      return (await bufferOf(opened.data)).equals(data);
    }),
  );
  expect(read).toEqual([true, true, true]);
  expect(cache.bytes()).toBe(2 * MiB);
});

test('the copies of a deleted organisation go, also one whose fetch has begun', async () => {
  const { blobs } = await open();
  const theirs = store(randomBytes(10), { organizationId: 'org_ours_too' });
  await read(blobs, theirs, 'org_ours_too');
  await read(blobs, store(randomBytes(10)));
  const late = store(randomBytes(MiB));
  const gone = new AbortController();
  const opening = blobs.open(ORGANIZATION, late, gone.signal);
  await expect.poll(() => readdir(directory)).toContainEqual(expect.stringContaining('.draft'));
  await blobs.forget(ORGANIZATION);
  gone.abort();
  await expect(opening).rejects.toThrow();
  await expect.poll(() => readdir(directory)).toEqual([`org_ours_too-${theirs}`]);
});

test('a blob that is evicted while it is in use is read to its end', async () => {
  const { blobs } = await open(3 * MiB);
  const data = randomBytes(2 * MiB);
  await using opened = await blobs.open(ORGANIZATION, store(data), never);
  await read(blobs, store(randomBytes(2 * MiB)));
  expect((await bufferOf(opened.data)).equals(data)).toBe(true);
});

test('copies survive a restart, and what was half written does not', async () => {
  const before = await open();
  const sha256 = store(randomBytes(MiB));
  await read(before.blobs, sha256);
  await writeFile(join(directory, `${ORGANIZATION}-${sha256}.7.draft`), 'half');
  const { blobs, cache } = await open();
  await read(blobs, sha256);
  expect(fetched).toHaveLength(1);
  expect(cache.bytes()).toBe(MiB);
  expect(await readdir(directory)).toEqual([`${ORGANIZATION}-${sha256}`]);
});

test.each([
  ['../../etc', '0'.repeat(64)],
  [ORGANIZATION, '../x'],
  ['', '0'.repeat(64)],
])('no path is made of %j and %j', async (organizationId, sha256) => {
  const { blobs } = await open();
  await expect(blobs.open(organizationId, sha256, never)).rejects.toMatchObject({ reason: 'INTERNAL' });
});

test('files of a program are the bytes that came, and blobs', async () => {
  const { blobs } = await open();
  const data = randomBytes(2 * MiB);
  await using opened = await openFiles(
    blobs,
    ORGANIZATION,
    [
      { name: 'a', content: { $case: 'text', value: 'text' } },
      { name: 'b', content: { $case: 'blob', value: store(data) } },
    ],
    never,
  );
  expect(opened.files.map(({ name }) => name)).toEqual(['a', 'b']);
  expect(await Promise.all(opened.files.map((file) => bufferOf(file.data)))).toEqual([Buffer.from('text'), data]);
});
