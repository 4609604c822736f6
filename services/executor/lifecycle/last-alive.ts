import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { missingFile } from '#libs/missing.ts';

const TOUCH_MS = 5_000;
// The file is up to one interval old, and the clocks of two hosts differ.
const MARGIN_MS = 15_000;

/**
 * `missedSince`: when the previous process of this data directory was last alive, from when on events must be read again. Without
 * a previous process that is now, or the beginning if sandboxes were adopted all the same. Records this process until disposed.
 */
export async function followLife(
  dataDirectory: string,
  hasAdopted: boolean,
  log: Logger,
): Promise<{ missedSince: Date } & AsyncDisposable> {
  const file = join(dataDirectory, 'alive');
  const earlier = await stat(file).catch(missingFile);
  if (!earlier) await writeFile(file, '', { mode: 0o600 });
  const otherwise = hasAdopted ? new Date(0) : new Date();
  const missedSince = earlier ? new Date(earlier.mtimeMs - MARGIN_MS) : otherwise;
  const touch = every(TOUCH_MS, log, () => utimes(file, new Date(), new Date()));
  return { missedSince, [Symbol.asyncDispose]: () => touch[Symbol.asyncDispose]() };
}
