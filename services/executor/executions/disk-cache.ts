import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#libs/log.ts';
import { counter, gauge } from '#libs/telemetry.ts';

const HASH_BYTES = 32;
const PIECE_BYTES = 256 * 1024;
const NAME = /^[a-z0-9-]{1,200}$/;

/** An open entry, whose content was verified. It can be read although it is evicted meanwhile. */
export type Entry = AsyncDisposable & {
  readonly bytes: number;
  /** Its bytes from `start` on, in pieces of at most 256 KiB. */
  read(start: number): AsyncIterable<Buffer>;
};

/** An entry that is being written. Disposing removes it unless it was committed. */
export type Draft = AsyncDisposable & {
  /** False if it is larger than the cache; then it can only be disposed. */
  write(data: Uint8Array): Promise<boolean>;
  /** Makes it the entry of its name. Until then nobody finds it, and after a crash it is deleted. */
  commit(): Promise<void>;
};

export type DiskCache = {
  /** Undefined if there is no entry of the name, or it is damaged. */
  find(name: string): Promise<Entry | undefined>;
  create(name: string): Promise<Draft>;
  /** Removes the entries whose names begin so. */
  remove(prefix: string): Promise<void>;
};

type State = {
  directory: string;
  maxBytes: number;
  /** Sizes of entries, the least recently used first. */
  entries: Map<string, number>;
  /** Of entries and drafts in sum. */
  bytes: number;
  drafts: number;
  log: Logger;
};

const lookups = counter('executor_cache_lookups_total', 'Look-ups in the cache on disk.', ['result']);
const evictions = counter('executor_cache_evictions_total', 'Entries evicted from the cache on disk.', []);

/**
 * Opens a cache of files, bounded in sum, from which the least recently used are evicted. A file begins with the SHA-256 of the
 * rest, so one that is torn or damaged is never used. Names have 1 to 200 small letters, digits and dashes.
 */
export async function openDiskCache(directory: string, maxBytes: number, log: Logger): Promise<DiskCache> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const state: State = { directory, maxBytes, entries: new Map(), bytes: 0, drafts: 0, log };
  for (const [name, bytes] of await readEntries(directory)) add(state, name, bytes);
  await makeRoom(state, 0);
  gauge('executor_cache_bytes', 'Bytes in the cache on disk.', [], (set) => set({}, state.bytes));
  return {
    find: (name) => find(state, name),
    create: (name) => create(state, name),
    async remove(prefix) {
      const names = [...state.entries.keys()].filter((name) => name.startsWith(prefix));
      await Promise.all(names.map((name) => drop(state, name)));
    },
  };
}

/** Names and sizes by the time of their last use. Files with other names are drafts of an earlier process, and are removed. */
async function readEntries(directory: string): Promise<[string, number][]> {
  const found: { name: string; bytes: number; usedMs: number }[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    if (!NAME.test(name)) {
      await rm(path, { force: true });
      continue;
    }
    const { size, mtimeMs } = await stat(path);
    found.push({ name, bytes: size, usedMs: mtimeMs });
  }
  return found.sort((a, b) => a.usedMs - b.usedMs).map(({ name, bytes }) => [name, bytes]);
}

function add(state: State, name: string, bytes: number): void {
  state.bytes += bytes - (state.entries.get(name) ?? 0);
  state.entries.delete(name);
  state.entries.set(name, bytes);
}

async function drop(state: State, name: string): Promise<void> {
  state.bytes -= state.entries.get(name) ?? 0;
  state.entries.delete(name);
  await rm(join(state.directory, name), { force: true });
}

/** Evicts until there is room for more bytes; false if there is none even so. */
async function makeRoom(state: State, more: number): Promise<boolean> {
  while (state.bytes + more > state.maxBytes) {
    const [oldest] = state.entries.keys();
    if (oldest === undefined) return false;
    evictions.inc({});
    await drop(state, oldest);
  }
  return true;
}

async function find(state: State, name: string): Promise<Entry | undefined> {
  const bytes = state.entries.get(name);
  if (bytes === undefined) {
    lookups.inc({ result: 'miss' });
    return undefined;
  }
  try {
    const path = join(state.directory, name);
    await using opened = new AsyncDisposableStack();
    const file = opened.use(await open(path, 'r'));
    const isWhole = await verify(file, bytes);
    lookups.inc({ result: isWhole ? 'hit' : 'damaged' });
    if (!isWhole) {
      state.log.warn({ name }, 'an entry of the cache is damaged; it is removed');
      await drop(state, name);
      return undefined;
    }
    // It may have been evicted or replaced meanwhile.
    if (state.entries.has(name)) add(state, name, state.entries.get(name)!);
    const now = new Date();
    await utimes(path, now, now).catch(() => {});
    const held = opened.move();
    return {
      bytes: bytes - HASH_BYTES,
      read: (start) => piecesOf(file, HASH_BYTES + start, bytes),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  } catch (error) {
    state.log.warn({ err: error, name }, 'failed to read an entry of the cache; it is removed');
    await drop(state, name);
    return undefined;
  }
}

async function verify(file: FileHandle, bytes: number): Promise<boolean> {
  if (bytes < HASH_BYTES || (await file.stat()).size !== bytes) return false;
  const expected = Buffer.alloc(HASH_BYTES);
  await file.read(expected, 0, HASH_BYTES, 0);
  const hash = createHash('sha256');
  for await (const piece of piecesOf(file, HASH_BYTES, bytes)) hash.update(piece);
  return hash.digest().equals(expected);
}

async function* piecesOf(file: FileHandle, start: number, end: number): AsyncGenerator<Buffer> {
  for (let at = start; at < end; ) {
    const { bytesRead, buffer } = await file.read(Buffer.alloc(Math.min(PIECE_BYTES, end - at)), 0, undefined, at);
    if (bytesRead === 0) throw new Error('an entry of the cache ends too early');
    yield buffer.subarray(0, bytesRead);
    at += bytesRead;
  }
}

async function create(state: State, name: string): Promise<Draft> {
  const path = join(state.directory, `${name}.${state.drafts++}.draft`);
  const file = await open(path, 'wx', 0o600);
  const hash = createHash('sha256');
  let length = 0;
  let isOver = false;
  const grow = async (data: Uint8Array): Promise<boolean> => {
    if (!(await makeRoom(state, data.length))) return false;
    state.bytes += data.length;
    length += data.length;
    await file.write(data, 0, data.length, length - data.length);
    return true;
  };
  const end = async (): Promise<void> => {
    isOver = true;
    state.bytes -= length;
    await file.close();
  };
  await grow(Buffer.alloc(HASH_BYTES));
  return {
    async write(data) {
      hash.update(data);
      return await grow(data);
    },
    async commit() {
      await file.write(hash.digest(), 0, HASH_BYTES, 0);
      await end();
      await rename(path, join(state.directory, name));
      add(state, name, length);
    },
    async [Symbol.asyncDispose]() {
      if (isOver) return;
      await end();
      await rm(path, { force: true });
    },
  };
}
