import { watch } from 'node:fs';
import { basename, dirname, resolve } from 'node:path';

/** An editor writes a file in several steps. */
const SETTLE_MS = 50;

/**
 * Does something now, and again whenever one of `files` changes; what still runs then is aborted. Ends with `signal`, by its reason.
 * Directories are watched: an editor replaces a file by another.
 */
export async function untilChanged(
  files: readonly string[],
  signal: AbortSignal,
  once: (signal: AbortSignal) => Promise<number>,
): Promise<number> {
  const names = Map.groupBy(files, (file) => dirname(resolve(file)));
  let change = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const watchers = [...names].map(([directory, members]) => {
    const watched = new Set(members.map((file) => basename(file)));
    return watch(directory, (_, name) => {
      if (!name || !watched.has(name)) return;
      clearTimeout(timer);
      timer = setTimeout(() => change.abort(), SETTLE_MS);
    });
  });
  try {
    for (;;) {
      change = new AbortController();
      const round = AbortSignal.any([signal, change.signal]);
      await reported(once(round), round);
      await aborted(round);
      signal.throwIfAborted();
      process.stderr.write('\n');
    }
  } finally {
    clearTimeout(timer);
    for (const watcher of watchers) watcher.close();
  }
}

/** An error of one round is told, and the next round may do better. */
async function reported(round: Promise<number>, signal: AbortSignal): Promise<void> {
  const { describe } = await import('../describe.ts');
  try {
    const code = await round;
    process.stderr.write(`exit code ${code}; waiting for a change\n`);
  } catch (error) {
    if (!signal.aborted) process.stderr.write(`${describe(error).lines.join('\n')}\nwaiting for a change\n`);
  }
}

function aborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve();
    else signal.addEventListener('abort', () => resolve(), { once: true });
  });
}
