import { mkdtemp, readlink, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { lockDirectory } from '#libs/lock-directory.ts';

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-held-'));
});
afterEach(() => rm(directory, { recursive: true }));

test('one holds a directory at a time, and the next one when it is let go', async () => {
  const first = await lockDirectory(directory, 'another test');
  await expect(lockDirectory(directory, 'another test')).rejects.toThrow(`another test holds ${directory}`);
  await first[Symbol.asyncDispose]();
  await using _second = await lockDirectory(directory, 'another test');
});

test('where nobody can tell whether it is held, it is not taken', async () => {
  const path = join(directory, 'held');
  await symlink('held', path);
  await expect(lockDirectory(directory, 'another test')).rejects.toThrow('ELOOP');
  expect(await readlink(path)).toBe('held');
});
