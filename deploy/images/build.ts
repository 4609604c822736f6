import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { copyFile, mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { lockFile } from '../host/file-lock.ts';
import { type Archive, addArchives } from './archives.ts';

const HERE = import.meta.dirname;
/** Of sandboxes: the newest, for its compilers and interpreters. */
const DISTRIBUTION = 'trixie';
const SERVICE_DISTRIBUTION = 'bookworm';
const ROOTFS_SCRIPTS = ['add-to-rootfs.sh', 'finish-rootfs.sh'];
const BUILDERS = ['mmdebstrap', 'docker'] as const;
const LAST_LINES = 25;
const BOOTSTRAP_OPTIONS = [
  '--variant=essential',
  // Its clean-up would take the mount points below /run away again.
  '--skip=cleanup/run',
  '--aptopt=Acquire::Languages "none"',
  // A build that a crash cuts short is begun anew, so nothing of it need be safe on the disk.
  '--dpkgopt=force-unsafe-io',
  '--dpkgopt=path-exclude=/usr/share/doc/*',
  '--dpkgopt=path-exclude=/usr/share/locale/*',
];

export type ImageOptions = {
  /** The engine's unix socket. */
  dockerSocket: string;
  /** Where built root file systems are kept, so that another engine only imports them. */
  cacheDirectory: string;
  /** Default: mmdebstrap where it is installed, since it needs no registry; else docker build. */
  builder?: (typeof BUILDERS)[number];
  /** A line of what goes on, with the seconds since the start. */
  onProgress?: (line: string) => void;
  /** Ends a build, of which nothing is left then. */
  signal?: AbortSignal;
};

/** A program that builds failed; `lastLines` are what it printed last. */
export class BuildError extends Error {
  override name = 'BuildError';
  readonly lastLines: string[];

  constructor(command: string, lastLines: string[], options: ErrorOptions) {
    super(`${command} failed; its last words:\n${lastLines.join('\n')}`, options);
    this.lastLines = lastLines;
  }
}

/** An engine is needed only where one has to build. */
export type ArchiveOptions = Omit<ImageOptions, 'dockerSocket'> & Partial<Pick<ImageOptions, 'dockerSocket'>>;

export type Image = {
  name: string;
  /** Debian's name of the release that the packages are of. */
  distribution: string;
  packages: string[];
  /** What is unpacked beside the packages. */
  archives: Archive[];
  /** What is run on the root file system when all is in it. */
  scripts: string[];
  /** What mmdebstrap is told besides. */
  options: string[];
  tag: string;
};

/** The images of `images.json`. */
export async function listImages(): Promise<Image[]> {
  const lists = JSON.parse(await readFile(join(HERE, 'images.json'), 'utf8')) as Record<string, ImageEntry>;
  return Promise.all(
    Object.entries(lists).map(([name, { packages, archives = [] }]) =>
      tagged({ name, distribution: DISTRIBUTION, packages, archives, scripts: ROOTFS_SCRIPTS, options: [] }),
    ),
  );
}

/** What `images.json` has of each. */
type ImageEntry = { packages: string[]; archives?: Archive[] };

/** An image of Debian packages that is no sandbox's. */
export async function describeImage(name: string, packages: string[], options: string[] = []): Promise<Image> {
  const scripts = ['finish-rootfs.sh'];
  return tagged({ name, distribution: SERVICE_DISTRIBUTION, packages, archives: [], scripts, options });
}

/** Tagged by what goes into it: a changed list is a new tag. */
async function tagged(image: Omit<Image, 'tag'>): Promise<Image> {
  const { name, distribution, packages, archives, scripts, options } = image;
  const more = [options, archives].filter((list) => list.length > 0);
  const hash = createHash('sha256').update(JSON.stringify([distribution, BOOTSTRAP_OPTIONS, packages, ...more]));
  for (const script of scripts) hash.update(await readFile(join(HERE, script)));
  return { ...image, tag: `drydock/${name}:${hash.digest('hex').slice(0, 12)}` };
}

/** The tag of an image. */
export async function imageTag(name: string): Promise<string> {
  return (await findImage(name)).tag;
}

/** `ensureImage` for several, one after the other: a build keeps every core busy by itself. Default: all images. */
export async function ensureImages(options: ImageOptions, names?: string[]): Promise<string[]> {
  const tags: string[] = [];
  for (const name of names ?? (await listImages()).map(({ name }) => name)) tags.push(await ensureImage(name, options));
  return tags;
}

/**
 * Makes sure that the engine has an image, and answers with its tag. Does nothing where it has it, imports where the
 * cache has it, and may be called by any number of processes at once: one builds, the others wait for it.
 */
export async function ensureImage(name: string, options: ImageOptions): Promise<string> {
  const image = await findImage(name);
  if (await hasImage(image.tag, options)) return image.tag;
  const progress = progressOf(image, options);
  const archive = await ensureArchive(name, options);
  await using _lock = await lockFile(`${archive}.lock`, options.signal);
  if (await hasImage(image.tag, options)) return image.tag;
  progress('importing');
  const { signal } = options;
  await docker(options, ['import', archive, image.tag], signal && { cancelSignal: signal });
  progress('ready');
  return image.tag;
}

/** Makes sure that the cache has an image's root file system, and answers with the path of that tar. One builds, as above. */
export async function ensureArchive(name: string, options: ArchiveOptions): Promise<string> {
  return ensureArchiveOf(await findImage(name), options);
}

/** `ensureArchive` for an image that is not of `images.json`. */
export async function ensureArchiveOf(image: Image, options: ArchiveOptions): Promise<string> {
  const archive = join(options.cacheDirectory, `${image.tag.replace(/[/:]/g, '-')}.tar`);
  // Renamed into place when it is complete.
  if (existsSync(archive)) return archive;
  await mkdir(options.cacheDirectory, { recursive: true });
  await using _lock = await lockFile(`${archive}.lock`, options.signal);
  if (!existsSync(archive)) await buildArchive(image, archive, options, progressOf(image, options));
  return archive;
}

function progressOf({ name }: Image, { onProgress }: ArchiveOptions): (line: string) => void {
  const started = performance.now();
  return (line) => onProgress?.(`image ${name}: ${line} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
}

async function findImage(name: string): Promise<Image> {
  const image = (await listImages()).find((image) => image.name === name);
  if (!image) throw new Error(`no image is called ${name}`);
  return image;
}

async function hasImage(tag: string, options: ImageOptions): Promise<boolean> {
  const { exitCode } = await docker(options, ['image', 'inspect', '--format', 'found', tag], { reject: false });
  return exitCode === 0;
}

async function buildArchive(
  image: Image,
  archive: string,
  options: ArchiveOptions,
  progress: (line: string) => void,
): Promise<void> {
  const builder = options.builder ?? ((await isInstalled('mmdebstrap')) ? 'mmdebstrap' : 'docker');
  progress(`building with ${builder}, ${image.packages.length} packages and what they need`);
  const work = await mkdtemp(`${archive}.`);
  try {
    const unfinished = join(work, basename(archive));
    const added = join(work, 'added');
    await addArchives(image.archives, added, options, progress);
    if (builder === 'mmdebstrap') await bootstrap(image, added, unfinished, progress, options.signal);
    else await buildInEngine(image, work, unfinished, withEngine(options), progress);
    await rename(unfinished, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function bootstrap(
  { distribution, packages, archives, scripts, options: more }: Image,
  added: string,
  archive: string,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const add = archives.length > 0 ? [`--customize-hook=sync-in ${added} /`] : [];
  const hooks = [...add, ...scripts.map((script) => `--customize-hook=${join(HERE, script)}`)];
  const options = ['--mode=auto', ...BOOTSTRAP_OPTIONS, ...more, `--include=${packages.join(',')}`, ...hooks];
  await follow('mmdebstrap', [...options, distribution, archive], /^I: (.+?)\.*$/, progress, signal);
}

function withEngine({ dockerSocket, ...options }: ArchiveOptions): ImageOptions {
  if (!dockerSocket) throw new Error('an image cannot be built here\n  fix: apt-get install mmdebstrap');
  return { ...options, dockerSocket };
}

/** `work` becomes what the build can copy from; it has what the archives add. */
async function buildInEngine(
  { distribution, packages, scripts, tag }: Image,
  work: string,
  archive: string,
  options: ImageOptions,
  progress: (line: string) => void,
): Promise<void> {
  const host = ['--host', `unix://${options.dockerSocket}`];
  const stage = `${tag}-build`;
  for (const file of ['Dockerfile', ...ROOTFS_SCRIPTS]) await copyFile(join(HERE, file), join(work, file));
  const inputs = [`DISTRIBUTION=${distribution}`, `PACKAGES=${packages.join(',')}`, `SCRIPTS=${scripts.join(' ')}`];
  const values = inputs.flatMap((value) => ['--build-arg', value]);
  const build = ['build', '--network', 'host', ...values, '--tag', stage, work];
  await follow('docker', [...host, ...build], /^(Step .+|#\d+ \[.+)$/, progress, options.signal);
  progress('archiving');
  const pack = ['run', '--rm', '--network', 'none', stage, 'tar', '-C', '/rootfs', '--numeric-owner', '-c', '.'];
  await execa('docker', [...host, ...pack], {
    stdout: { file: archive },
    buffer: false,
  });
  await docker(options, ['image', 'rm', stage]);
}

/** Runs a command, telling which of its lines match; what it said last is in the error when it fails. */
async function follow(
  command: string,
  args: string[],
  interesting: RegExp,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const running = execa(command, args, { all: true, buffer: false, ...(signal && { cancelSignal: signal }) });
  const lines: string[] = [];
  try {
    for await (const line of running.iterable({ from: 'all' })) {
      lines.push(line);
      const step = interesting.exec(line)?.[1];
      if (step) progress(step);
    }
  } catch (cause) {
    throw new BuildError(command, lines.slice(-LAST_LINES), { cause });
  }
}

function docker(
  { dockerSocket }: ImageOptions,
  args: string[],
  more: { reject?: boolean; cancelSignal?: AbortSignal } = {},
) {
  return execa('docker', ['--host', `unix://${dockerSocket}`, ...args], more);
}

async function isInstalled(command: string): Promise<boolean> {
  const { failed } = await execa(command, ['--version'], { reject: false });
  return !failed;
}

if (import.meta.main) {
  const known = (await listImages()).map(({ name }) => name);
  const command = new Command('node deploy/images/build.ts')
    .description('Builds the sandbox images that an engine lacks, and prints their tags.')
    .option('--image <name...>', `which: ${known.join(', ')}; default: all`)
    .option('--docker-socket <path>', 'unix socket of the engine', '/var/run/docker.sock')
    .option('--cache <directory>', 'where root file systems are kept', join(HERE, '../../.build/images'))
    .option('--builder <name>', `${BUILDERS.join(' or ')}; default: mmdebstrap where it is installed`)
    .parse();
  const { image, dockerSocket, cache: cacheDirectory, builder } = command.opts();
  if (builder && !BUILDERS.includes(builder)) command.error(`error: no builder is called ${builder}`);
  const onProgress = (line: string) => process.stderr.write(`${line}\n`);
  const options = {
    dockerSocket,
    cacheDirectory,
    onProgress,
    ...(builder && { builder }),
  };
  try {
    for (const tag of await ensureImages(options, image)) process.stdout.write(`${tag}\n`);
  } catch (error) {
    command.error(`error: ${(error as Error).message}`);
  }
}
