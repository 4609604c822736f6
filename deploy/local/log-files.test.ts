import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { openLogFiles } from './log-files.ts';

const MiB = 1024 ** 2;

let directory: string;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-logs-'));
});
afterEach(() => rm(directory, { recursive: true }));

const textOf = (name: string) => readFile(join(directory, name), 'utf8');
const onLoss = (error: Error) => {
  throw error;
};

test('a file begins anew with a start, and that of the start before stays beside it', async () => {
  for (const line of ['first', 'second', 'third']) {
    const files = openLogFiles(directory, onLoss);
    files.write('auth', line);
    files.write('auth', 'and more');
  }
  expect(await textOf('auth.log')).toBe('third\nand more\n');
  expect(await textOf('auth.log.1')).toBe('second\nand more\n');
  expect(await readdir(directory)).toHaveLength(2);
});

test('a process that prints without end fills two files of 16 MiB and no more', async () => {
  const files = openLogFiles(directory, onLoss);
  const line = 'x'.repeat(MiB - 1);
  for (let count = 0; count < 50; count++) files.write('gateway', line);
  const sizes = await Promise.all(
    ['gateway.log', 'gateway.log.1'].map(async (name) => (await stat(join(directory, name))).size),
  );
  expect(sizes).toEqual([2 * MiB, 16 * MiB]);
});

test('a line that cannot be written is lost, which is said once', async () => {
  const losses: Error[] = [];
  const files = openLogFiles(join(directory, 'logs'), (error) => losses.push(error));
  await rm(join(directory, 'logs'), { recursive: true });
  for (const line of ['one', 'two']) files.write('session', line);
  expect(losses.map(({ message }) => message)).toEqual([expect.stringContaining('ENOENT')]);
});
