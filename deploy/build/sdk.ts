import { cp, glob, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { BUILD, type Progress, ROOT } from '../host/root.ts';
import { generate } from './generate.ts';
import { packJava } from './sdk-java.ts';

const BIN = join(ROOT, 'node_modules/.bin');
const SOURCE = join(ROOT, 'libs/sdk/typescript');
const PACKAGES = join(BUILD, 'sdk');

/** Packs the SDKs into `.build/sdk`, checks the packages, and answers with their files. */
export async function packSdk(tell: Progress): Promise<{ typescript: string }> {
  await generate(tell);
  return { typescript: await packTypescript(tell) };
}

async function packTypescript(tell: Progress): Promise<string> {
  const directory = join(PACKAGES, 'typescript');
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  await execa(join(BIN, 'tsc'), ['--project', SOURCE, '--outDir', join(directory, 'dist')], { all: true });
  for (const name of ['package.json', 'README.md', 'examples'])
    await cp(join(SOURCE, name), join(directory, name), { recursive: true });
  await cp(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'));
  for await (const old of glob('*.tgz', { cwd: PACKAGES })) await rm(join(PACKAGES, old));
  const { stdout } = await execa('npm', ['pack', '--json', '--pack-destination', PACKAGES], { cwd: directory });
  const [{ filename, size }] = JSON.parse(stdout) as [{ filename: string; size: number }];
  const file = join(PACKAGES, filename);
  await Promise.all([
    execa(join(BIN, 'publint'), [file, '--strict'], { all: true }),
    // CommonJS is left out: every Node that is supported can require() an ES module.
    execa(join(BIN, 'attw'), [file, '--profile', 'esm-only'], { all: true }),
  ]);
  tell(`${filename} (${Math.round(size / 1024)} KiB), clean by publint and attw`);
  return file;
}

if (import.meta.main) {
  const tell: Progress = (line) => process.stderr.write(`${line}\n`);
  await packSdk(tell);
  await packJava(tell);
}
