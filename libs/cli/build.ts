import { cp, mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { build, type Metafile } from 'esbuild';

const SOURCE = import.meta.dirname;

/**
 * Bundles the command line, and lays out its package in `directory`. What a command alone needs is in a file of its own: to read and
 * compile all of it takes longer than to answer.
 */
export async function buildCli(directory: string): Promise<void> {
  await mkdir(join(directory, 'dist'), { recursive: true });
  const { metafile } = await build({
    absWorkingDir: join(SOURCE, '../..'),
    entryPoints: [{ in: 'libs/cli/src/main.ts', out: 'drydock' }],
    outdir: join(directory, 'dist'),
    bundle: true,
    splitting: true,
    platform: 'node',
    format: 'esm',
    target: 'node22.13',
    minify: true,
    // Errors are told by their names.
    keepNames: true,
    metafile: true,
    legalComments: 'none',
    // Some packages are CommonJS and require what Node has.
    banner: { js: REQUIRE },
    logLevel: 'error',
  });
  const version = await versionOf(join(SOURCE, 'package.json'));
  if (version !== (await versionOf(join(SOURCE, '../sdk/typescript/package.json'))))
    throw new Error('the command line and the SDK have one version');
  for (const name of ['package.json', 'README.md', 'examples', 'recordings'])
    await cp(join(SOURCE, name), join(directory, name), { recursive: true });
  await writeFile(join(directory, 'dist/LICENSES.txt'), await licensesOf(metafile));
}

const REQUIRE = `import { createRequire as __createRequire } from 'node:module'; const require = __createRequire(import.meta.url);`;

async function versionOf(file: string): Promise<string> {
  return JSON.parse(await readFile(file, 'utf8')).version;
}

/** The licences of the packages in the bundle. */
async function licensesOf({ inputs }: Metafile): Promise<string> {
  const packages = new Set<string>();
  for (const input of Object.keys(inputs)) {
    const [found] = /^.*node_modules\/(@[^/]+\/)?[^/]+/.exec(input) ?? [];
    if (found) packages.add(found);
  }
  const root = join(SOURCE, '../..');
  const texts = await Promise.all([...packages].sort().map((each) => licenseOf(join(root, each))));
  return texts.join('\n\n');
}

async function licenseOf(directory: string): Promise<string> {
  const { name, version, license } = JSON.parse(await readFile(join(directory, 'package.json'), 'utf8'));
  const file = (await readdir(directory)).find((each) => /^(licen[cs]e|copying)/i.test(each));
  const text = file ? await readFile(join(directory, file), 'utf8') : '';
  return `${name} ${version} (${license})\n\n${text.trim()}`;
}
