import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { glob, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { missingFile } from '#libs/missing.ts';
import { BUILD, type Progress, ROOT } from '../host/root.ts';

const STAMPS = join(BUILD, 'stamps');

type Made = {
  name: string;
  /** What it is made from, or a hash of it: a change makes it again. */
  key: string;
  /** Paths, from the root of the repository on or absolute. */
  outputs: readonly string[];
};

/** Makes something, and tells of it, unless its outputs are there and were made from the same. */
export async function makeOnce({ name, key, outputs }: Made, tell: Progress, make: () => Promise<unknown>) {
  const stamp = join(STAMPS, name.replaceAll(' ', '-'));
  const isThere = outputs.every((output) => existsSync(output.startsWith('/') ? output : join(ROOT, output)));
  if (isThere && (await readFile(stamp, 'utf8').catch(missingFile)) === key) return;
  await mkdir(STAMPS, { recursive: true });
  // Of one that is cut short nothing says that it was made.
  await rm(stamp, { force: true });
  const began = performance.now();
  await make();
  await writeFile(stamp, key);
  tell(`${name} (${((performance.now() - began) / 1000).toFixed(1)} s)`);
}

/** Of the files, with their names, that these patterns find. */
export async function hashOf(patterns: string[]): Promise<string> {
  const hash = createHash('sha256');
  const files: string[] = [];
  for await (const file of glob(patterns, { cwd: ROOT })) files.push(file);
  for (const file of files.sort()) hash.update(file).update(await readFile(join(ROOT, file)));
  return hash.digest('hex');
}
