import { copyFile, mkdtemp, rm, symlink } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import { ROOT } from '../host/root.ts';

const BIN = join(ROOT, 'node_modules/.bin');
const PROTOS = ['--', 'proto'];

/**
 * Holds the public API against that of the last release, a tag such as `v0.1.0`; before the first one, against the last commit that
 * had other protos. Tells what it was held against. Throws, with what buf says in `all`, where a client of then would break.
 */
export async function checkBreaking(root = ROOT): Promise<string> {
  const before = await promised(root);
  if (!before) return 'no earlier protos to hold these against';
  const directory = await mkdtemp(join(tmpdir(), 'drydock-protos-'));
  try {
    const archive = join(directory, 'protos.tar');
    await git(root, ['archive', '--output', archive, before, ...PROTOS]);
    await execa('tar', ['-xf', archive, '-C', directory]);
    // Today's: what that one took from packages may be in others now.
    await copyFile(join(root, 'buf.yaml'), join(directory, 'buf.yaml'));
    await symlink(join(ROOT, 'node_modules'), join(directory, 'node_modules'));
    const build = (cwd: string, image: string) => buf(cwd, ['build', '--path', 'proto/drydock', '-o', image]);
    const [was, is] = [join(directory, 'was.binpb'), join(directory, 'is.binpb')];
    await Promise.all([build(directory, was), build(root, is)]);
    await buf(root, ['breaking', is, '--against', was, '--path', 'drydock/v1', '--config', 'buf.yaml']);
    return `clients of ${before} go on`;
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}

async function promised(root: string): Promise<string | undefined> {
  const { stdout: releases } = await git(root, [
    'tag',
    '--merged',
    'HEAD',
    '--sort=-version:refname',
    '--list',
    'v*.*.*',
  ]);
  const [release] = releases.split('\n').filter(Boolean);
  if (release) return release;
  const { stdout: commits } = await git(root, ['rev-list', '-2', 'HEAD', ...PROTOS]);
  const { stdout: changed } = await git(root, ['status', '--porcelain', ...PROTOS]);
  return commits.split('\n')[changed ? 0 : 1];
}

function git(cwd: string, args: readonly string[]) {
  return execa('git', args, { cwd });
}

function buf(cwd: string, args: readonly string[]) {
  return execa(join(BIN, 'buf'), args, { cwd, all: true, env: { PATH: `${BIN}:${process.env.PATH}` } });
}
