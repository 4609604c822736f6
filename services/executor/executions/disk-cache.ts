import { createHash } from 'node:crypto';
import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import type { Logger } from '#libs/log.ts';
import { counter, gauge } from '#libs/telemetry.ts';

const HASH_BYTES = 32;
const PIECE_BYTES = 256 * 1024;
const NAME = /^[a-z0-9_-]{1,200}$/;

/** An open entry, whose content was verified. It can be read although it is evicted meanwhile. */
export type Entry = AsyncDisposable & {
  readonly bytes: number;
  /** Its content from `start` on, in pieces of at most 256 KiB. */
  read(start: number): AsyncIterable<Buffer>;
};

/** An entry that is being written. Disposing removes it unless it was committed. */
export type Draft = AsyncDisposable & {
  /** False if it is larger than the cache; then it can only be disposed. */
  write(data: Uint8Array): Promise<boolean>;
  /**
   * Makes it the entry of its name, unless entries of that name were removed meanwhile. Until then nobody finds it, and after a crash
   * it is deleted. Throws if the verifier refuses the content.
   */
  commit(): Promise<void>;
};

/** Where the SHA-256 is that the content of an entry must have. */
export type Verifier = {
  /** Bytes at the beginning of a file that hold the hash: 32, or 0 where the name has it. */
  headerBytes: number;
  /** The hash that the content must have. */
  expected(name: string, header: Buffer): Buffer;
};

/** For contents that nothing else says the hash of: the file begins with it. */
export const HASH_INSIDE: Verifier = { headerBytes: HASH_BYTES, expected: (_, header) => header };

/** For contents that are named by their hash: the last 64 characters of the name, in hexadecimal. */
export const HASH_IN_NAME: Verifier = {
  headerBytes: 0,
  expected: (name) => Buffer.from(name.slice(-2 * HASH_BYTES), 'hex'),
};

export type DiskCache = {
  /** Bytes of entries and drafts, at most those of the cache. */
  bytes(): number;
  /** Undefined if there is no entry of the name, or it is damaged. */
  find(name: string): Promise<Entry | undefined>;
  create(name: string): Promise<Draft>;
  /** Removes the entries whose names begin so, and drafts of them when they are committed. */
  remove(prefix: string): Promise<void>;
};

export type CacheOptions = {
  /** Label of its metrics. */
  cache: 'artifacts' | 'blobs';
  directory: string;
  /** Of all files in sum; with 0 nothing is kept. */
  maxBytes: number;
  verifier: Verifier;
  log: Logger;
};

type State = CacheOptions & {
  /** Sizes of entries, the least recently used first. */
  entries: Map<string, number>;
  /** Of entries and drafts in sum. */
  bytes: number;
  /** Those that are being written. */
  drafts: Set<{ name: string; isRemoved: boolean }>;
  created: number;
};

const lookups = counter('executor_cache_lookups_total', 'Look-ups in a cache on disk.', ['cache', 'result']);
const evictions = counter('executor_cache_evictions_total', 'Entries evicted from a cache on disk.', ['cache']);
const sizes = new Map<CacheOptions['cache'], () => number>();
gauge('executor_cache_bytes', 'Bytes in a cache on disk.', ['cache'], (set) => {
  for (const [cache, bytes] of sizes) set({ cache }, bytes());
});

/**
 * Opens a cache of files, bounded in sum, from which the least recently used are evicted. An entry is verified by its SHA-256 before
 * each use, so one that is torn or damaged is never used. Names have 1 to 200 small letters, digits, dashes and underscores. It
 * survives a restart, for which the time of a file's last use is its modification time.
 */
export async function openDiskCache(options: CacheOptions): Promise<DiskCache> {
  const { directory, cache } = options;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const state: State = { ...options, entries: new Map(), bytes: 0, drafts: new Set(), created: 0 };
  for (const [name, bytes] of await readEntries(directory)) add(state, name, bytes);
  await makeRoom(state, 0);
  sizes.set(cache, () => state.bytes);
  return {
    bytes: () => state.bytes,
    find: (name) => find(state, name),
    create: (name) => create(state, name),
    async remove(prefix) {
      for (const draft of state.drafts) draft.isRemoved ||= draft.name.startsWith(prefix);
      const names = [...state.entries.keys()].filter((name) => name.startsWith(prefix));
      await Promise.all(names.map((name) => drop(state, name)));
    },
  };
}

/** Names and sizes by the time of their last use. All else is left by an earlier process, such as drafts, and is removed. */
async function readEntries(directory: string): Promise<[string, number][]> {
  const found: { name: string; bytes: number; usedMs: number }[] = [];
  for (const name of await readdir(directory)) {
    const path = join(directory, name);
    const status = await stat(path);
    if (NAME.test(name) && status.isFile()) found.push({ name, bytes: status.size, usedMs: status.mtimeMs });
    else await rm(path, { force: true, recursive: true });
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
    evictions.inc({ cache: state.cache });
    await drop(state, oldest);
  }
  return true;
}

async function find(state: State, name: string): Promise<Entry | undefined> {
  const bytes = state.entries.get(name);
  if (bytes === undefined) {
    lookups.inc({ cache: state.cache, result: 'miss' });
    return undefined;
  }
  const { headerBytes } = state.verifier;
  try {
    const path = join(state.directory, name);
    await using opened = new AsyncDisposableStack();
    const file = opened.use(await open(path, 'r'));
    const isWhole = await verify(state, file, name, bytes);
    lookups.inc({ cache: state.cache, result: isWhole ? 'hit' : 'damaged' });
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
      bytes: bytes - headerBytes,
      read: (start) => piecesOf(file, headerBytes + start, bytes),
      [Symbol.asyncDispose]: () => held.disposeAsync(),
    };
  } catch (error) {
    state.log.warn({ err: error, name }, 'failed to read an entry of the cache; it is removed');
    await drop(state, name);
    return undefined;
  }
}

async function verify({ verifier }: State, file: FileHandle, name: string, bytes: number): Promise<boolean> {
  const { headerBytes } = verifier;
  if (bytes < headerBytes || (await file.stat()).size !== bytes) return false;
  const header = Buffer.alloc(headerBytes);
  await file.read(header, 0, headerBytes, 0);
  const hash = createHash('sha256');
  for await (const piece of piecesOf(file, headerBytes, bytes)) hash.update(piece);
  return hash.digest().equals(verifier.expected(name, header));
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
  const { verifier } = state;
  const path = join(state.directory, `${name}.${state.created++}.draft`);
  const file = await open(path, 'wx', 0o600);
  const draft = { name, isRemoved: false };
  state.drafts.add(draft);
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
    state.drafts.delete(draft);
    state.bytes -= length;
    await file.close();
  };
  const dispose = async (): Promise<void> => {
    if (isOver) return;
    await end();
    await rm(path, { force: true });
  };
  await grow(Buffer.alloc(verifier.headerBytes));
  return {
    async write(data) {
      hash.update(data);
      return await grow(data);
    },
    async commit() {
      if (draft.isRemoved) return await dispose();
      const digest = hash.digest();
      if (verifier.headerBytes > 0) await file.write(digest, 0, HASH_BYTES, 0);
      else if (!digest.equals(verifier.expected(name, digest)))
        throw new Error('the content of an entry has another hash than its name');
      await end();
      await rename(path, join(state.directory, name));
      add(state, name, length);
    },
    [Symbol.asyncDispose]: dispose,
  };
}
