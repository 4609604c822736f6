import { stat, utimes, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { missingFile } from '#libs/missing.ts';

const TOUCH_MS = 5_000;
// A touch is late by its interval, and clocks of two hosts differ.
const MARGIN_MS = 15_000;

/**
 * Since when news may have been missed: the time when an earlier process of this data directory was last alive. Where there
 * was none that is now, or ever where something was taken over all the same. Keeps the time of this process until disposed.
 */
export async function followLife(
  dataDirectory: string,
  hasTakenOver: boolean,
  log: Logger,
): Promise<{ missedSince: Date } & AsyncDisposable> {
  const file = join(dataDirectory, 'alive');
  const earlier = await stat(file).catch(missingFile);
  if (!earlier) await writeFile(file, '', { mode: 0o600 });
  const otherwise = hasTakenOver ? new Date(0) : new Date();
  const missedSince = earlier ? new Date(earlier.mtimeMs - MARGIN_MS) : otherwise;
  const touch = every(TOUCH_MS, log, () => utimes(file, new Date(), new Date()));
  return { missedSince, [Symbol.asyncDispose]: () => touch[Symbol.asyncDispose]() };
}
