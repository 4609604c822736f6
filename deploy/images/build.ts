import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { Command } from 'commander';
import { execa } from 'execa';
import { lockFile } from '../host/file-lock.ts';

const HERE = import.meta.dirname;
const DISTRIBUTION = 'bookworm';
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
  packages: string[];
  /** What mmdebstrap is told besides. */
  options: string[];
  tag: string;
};

/** The images of `images.json`. */
export async function listImages(): Promise<Image[]> {
  const lists = JSON.parse(await readFile(join(HERE, 'images.json'), 'utf8')) as Record<string, string[]>;
  return Promise.all(Object.entries(lists).map(([name, packages]) => describeImage(name, packages)));
}

/** An image of Debian packages, tagged by what goes into it: a changed list is a new tag. */
export async function describeImage(name: string, packages: string[], options: string[] = []): Promise<Image> {
  const recipe = await readFile(join(HERE, 'finish-rootfs.sh'));
  const more = options.length > 0 ? [options] : [];
  const inputs = JSON.stringify([DISTRIBUTION, BOOTSTRAP_OPTIONS, packages, ...more]);
  const hash = createHash('sha256').update(inputs).update(recipe).digest('hex');
  return { name, packages, options, tag: `drydock/${name}:${hash.slice(0, 12)}` };
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
    if (builder === 'mmdebstrap') await bootstrap(image, unfinished, progress, options.signal);
    else await buildInEngine(image, unfinished, withEngine(options), progress);
    await rename(unfinished, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function bootstrap(
  { packages, options: more }: Image,
  archive: string,
  progress: (line: string) => void,
  signal: AbortSignal | undefined,
): Promise<void> {
  const hook = `--customize-hook=${join(HERE, 'finish-rootfs.sh')}`;
  const options = ['--mode=auto', ...BOOTSTRAP_OPTIONS, ...more, `--include=${packages.join(',')}`, hook];
  await follow('mmdebstrap', [...options, DISTRIBUTION, archive], /^I: (.+?)\.*$/, progress, signal);
}

function withEngine({ dockerSocket, ...options }: ArchiveOptions): ImageOptions {
  if (!dockerSocket) throw new Error('an image cannot be built here\n  fix: apt-get install mmdebstrap');
  return { ...options, dockerSocket };
}

async function buildInEngine(
  { packages, tag }: Image,
  archive: string,
  options: ImageOptions,
  progress: (line: string) => void,
): Promise<void> {
  const host = ['--host', `unix://${options.dockerSocket}`];
  const stage = `${tag}-build`;
  const build = ['build', '--network', 'host', '--build-arg', `PACKAGES=${packages.join(',')}`, '--tag', stage, HERE];
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
