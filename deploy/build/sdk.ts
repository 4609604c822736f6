import { cp, glob, mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { build } from 'esbuild';
import { execa } from 'execa';
import { buildCli } from '../../libs/cli/build.ts';
import { BUILD, type Progress, ROOT } from '../host/root.ts';
import { generate } from './generate.ts';
import { packGo } from './sdk-go.ts';
import { packJava } from './sdk-java.ts';
import { packPython } from './sdk-python.ts';

const BIN = join(ROOT, 'node_modules/.bin');
const SOURCE = join(ROOT, 'libs/sdk/typescript');
/** Where packages are left. */
export const PACKAGES = join(BUILD, 'sdk');

/** Packs the SDKs and the command line into `.build/sdk`, checks the packages, and answers with their files. */
export async function packSdk(tell: Progress): Promise<{ typescript: string; cli: string; go: string }> {
  await generate(tell);
  await mkdir(PACKAGES, { recursive: true });
  for await (const old of glob('*.tgz', { cwd: PACKAGES })) await rm(join(PACKAGES, old));
  return { typescript: await packTypescript(tell), cli: await packCli(tell), go: await packGo(tell) };
}

async function packTypescript(tell: Progress): Promise<string> {
  const directory = await emptyDirectory('typescript');
  await execa(join(BIN, 'tsc'), ['--project', SOURCE, '--outDir', join(directory, 'dist')], { all: true });
  await bundleForBrowsers(join(directory, 'dist'));
  for (const name of ['package.json', 'README.md', 'examples'])
    await cp(join(SOURCE, name), join(directory, name), { recursive: true });
  const file = await pack(directory, tell);
  // CommonJS is left out: every Node that is supported can require() an ES module.
  await execa(join(BIN, 'attw'), [file, '--profile', 'esm-only'], { all: true });
  return file;
}

/** One module, with the platform of browsers in the place of Node's; packages are left to the user's own bundler. */
async function bundleForBrowsers(directory: string): Promise<void> {
  await build({
    entryPoints: [join(directory, 'index.js')],
    outfile: join(directory, 'browser.js'),
    bundle: true,
    packages: 'external',
    platform: 'browser',
    format: 'esm',
    target: 'es2022',
    plugins: [
      {
        name: 'platform of browsers',
        setup({ onResolve }) {
          onResolve({ filter: /\/platform\.js$/ }, () => ({ path: join(directory, 'platform-browser.js') }));
        },
      },
    ],
    logLevel: 'error',
  });
}

/** It has no types: nobody imports it. */
async function packCli(tell: Progress): Promise<string> {
  const directory = await emptyDirectory('cli');
  await buildCli(directory);
  return pack(directory, tell);
}

async function emptyDirectory(name: string): Promise<string> {
  const directory = join(PACKAGES, name);
  await rm(directory, { recursive: true, force: true });
  await mkdir(directory, { recursive: true });
  return directory;
}

async function pack(directory: string, tell: Progress): Promise<string> {
  await cp(join(ROOT, 'LICENSE'), join(directory, 'LICENSE'));
  const { stdout } = await execa('npm', ['pack', '--json', '--pack-destination', PACKAGES], { cwd: directory });
  const [{ filename, size }] = JSON.parse(stdout) as [{ filename: string; size: number }];
  const file = join(PACKAGES, filename);
  await execa(join(BIN, 'publint'), [file, '--strict'], { all: true });
  tell(`${filename} (${Math.round(size / 1024)} KiB), clean by publint`);
  return file;
}

if (import.meta.main) {
  const tell = (line: string) => void process.stderr.write(`${line}\n`);
  await packSdk(tell);
  await packPython(PACKAGES, tell);
  await packJava(tell);
}
