import { type FileHandle, mkdir, open, readdir, rename, rm, stat, utimes } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Logger } from '#libs/log.ts';

const PARTIAL = '.partial';

export type DiskCache = {
  /** The file of a key, opened for reading; undefined if it is not kept. It stays readable when it is evicted. */
  open(key: string): Promise<FileHandle | undefined>;
  /** Keeps data under a key, and evicts what was not used for longest. If `data` throws, nothing is kept. */
  write(key: string, data: AsyncIterable<Uint8Array>): Promise<void>;
  /** Removes the file of a key. */
  remove(key: string): Promise<void>;
  /** Bytes that are kept or being written. */
  bytes(): number;
};

type Entry = { bytes: number };

/**
 * A bounded, least recently used cache of files. Keys are relative paths, each part of which the caller has checked. It survives
 * a restart, for which the time of a file's last use is its modification time.
 */
export async function openDiskCache(directory: string, maxBytes: number, log: Logger): Promise<DiskCache> {
  await mkdir(directory, { recursive: true, mode: 0o700 });
  // Least recently used first.
  const entries = new Map((await readKept(directory)).map(({ key, bytes }): [string, Entry] => [key, { bytes }]));
  let total = entries.values().reduce((sum, { bytes }) => sum + bytes, 0);
  const pathOf = (key: string) => join(directory, key);

  const forget = async (key: string): Promise<void> => {
    const entry = entries.get(key);
    if (!entry) return;
    entries.delete(key);
    await rm(pathOf(key), { force: true });
    total -= entry.bytes;
  };
  const makeRoom = async (): Promise<void> => {
    for (const key of entries.keys()) {
      if (total <= maxBytes) return;
      await forget(key);
    }
  };
  await makeRoom();
  let writes = 0;

  return {
    bytes: () => total,
    remove: forget,
    async open(key) {
      const entry = entries.get(key);
      if (!entry) return undefined;
      entries.delete(key);
      entries.set(key, entry);
      try {
        const file = await open(pathOf(key), 'r');
        const now = new Date();
        await utimes(pathOf(key), now, now).catch(() => {});
        return file;
      } catch (error) {
        log.warn({ err: error, key }, 'failed to open a cached file; it is fetched again');
        await forget(key);
        return undefined;
      }
    },
    async write(key, data) {
      const partial = `${pathOf(key)}.${++writes}${PARTIAL}`;
      let bytes = 0;
      await mkdir(dirname(partial), { recursive: true, mode: 0o700 });
      try {
        {
          await using file = await open(partial, 'wx', 0o600);
          for await (const piece of data) {
            bytes += piece.length;
            total += piece.length;
            await makeRoom();
            await file.writeFile(piece);
          }
        }
        await forget(key);
        await rename(partial, pathOf(key));
        entries.set(key, { bytes });
      } catch (error) {
        total -= bytes;
        await rm(partial, { force: true });
        throw error;
      }
    },
  };
}

/** Files that an earlier process kept, least recently used first. What it did not finish is removed. */
async function readKept(directory: string): Promise<{ key: string; bytes: number }[]> {
  const kept: { key: string; bytes: number; usedMs: number }[] = [];
  for (const name of await readdir(directory, { recursive: true })) {
    const path = join(directory, name);
    const found = await stat(path);
    if (!found.isFile()) continue;
    if (name.endsWith(PARTIAL)) await rm(path, { force: true });
    else kept.push({ key: name, bytes: found.size, usedMs: found.mtimeMs });
  }
  return kept.sort((a, b) => a.usedMs - b.usedMs);
}
