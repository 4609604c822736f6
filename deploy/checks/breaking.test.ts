import { cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { ROOT } from '../host/root.ts';
import { checkBreaking } from './breaking.ts';

const BLOB = 'proto/drydock/v1/blob.proto';

/** A repository with the protos of this one, and a release of them. */
async function released() {
  const root = await mkdtemp(join(tmpdir(), 'drydock-release-'));
  const git = (...args: string[]) =>
    execa('git', ['-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args], { cwd: root });
  for (const name of ['proto', 'buf.yaml']) await cp(join(ROOT, name), join(root, name), { recursive: true });
  await symlink(join(ROOT, 'node_modules'), join(root, 'node_modules'));
  await git('init', '--quiet');
  await git('add', 'proto', 'buf.yaml');
  await git('commit', '--quiet', '--message', 'first');
  await git('tag', 'v0.1.0');
  return {
    root,
    async edit(from: string, to: string) {
      const text = await readFile(join(root, BLOB), 'utf8');
      await writeFile(join(root, BLOB), text.replace(from, to));
      await git('commit', '--quiet', '--all', '--message', 'next');
    },
    [Symbol.asyncDispose]: () => rm(root, { recursive: true, force: true }),
  };
}

test('the API is held against the last release, however many commits ago', async () => {
  await using repository = await released();
  await repository.edit('message StatBlobsRequest {', 'message StatBlobsRequest {\n  // New.\n  bool added = 9;');
  expect(await checkBreaking(repository.root)).toBe('clients of v0.1.0 go on');
  await repository.edit('string sha256 = 1;', 'bytes sha256 = 1;');
  await repository.edit('// New.', '// Newer.');
  await expect(checkBreaking(repository.root)).rejects.toMatchObject({ all: expect.stringContaining('sha256') });
});
