import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';

const HERE = import.meta.dirname;
const DISTRIBUTION = 'bookworm';

export type ImageOptions = {
  /** The engine's unix socket. */
  dockerSocket: string;
  /** Where built root file systems are kept, so that another engine only imports them. */
  cacheDirectory: string;
  /** Default: mmdebstrap where it is installed, since it needs no registry; else docker build. */
  builder?: 'mmdebstrap' | 'docker';
  onProgress?: (line: string) => void;
};

type Image = { name: string; packages: string[]; tag: string };

/** The images of `images.json`, tagged by what goes into them: a changed list is a new tag. */
export async function listImages(): Promise<Image[]> {
  const lists = JSON.parse(await readFile(join(HERE, 'images.json'), 'utf8')) as Record<string, string[]>;
  const recipe = await readFile(join(HERE, 'finish-rootfs.sh'));
  return Object.entries(lists).map(([name, packages]) => {
    const hash = createHash('sha256').update(DISTRIBUTION).update(recipe).update(JSON.stringify(packages));
    return { name, packages, tag: `drydock/${name}:${hash.digest('hex').slice(0, 12)}` };
  });
}

/** The tag of an image. */
export async function imageTag(name: string): Promise<string> {
  const image = (await listImages()).find((image) => image.name === name);
  if (!image) throw new Error(`no image is called ${name}`);
  return image.tag;
}

/** Makes sure that the engine has an image, and answers with its tag. Does nothing where it has it. */
export async function ensureImage(name: string, options: ImageOptions): Promise<string> {
  const { onProgress = () => {} } = options;
  const image = (await listImages()).find((image) => image.name === name);
  if (!image) throw new Error(`no image is called ${name}`);
  if (await hasImage(image.tag, options)) return image.tag;
  const started = Date.now();
  const elapsed = () => `${((Date.now() - started) / 1000).toFixed(0)} s`;

  const builder = options.builder ?? ((await isInstalled('mmdebstrap')) ? 'mmdebstrap' : 'docker');
  if (builder === 'docker') {
    onProgress(`image ${name}: docker build`);
    await dockerBuild(image, options);
  } else {
    const archive = join(options.cacheDirectory, `${image.tag.replace(/[/:]/g, '-')}.tar`);
    if (!existsSync(archive)) {
      onProgress(`image ${name}: mmdebstrap, ${image.packages.length} packages and what they need`);
      await buildArchive(image, archive, (line) => onProgress(`image ${name}: ${line} (${elapsed()})`));
    }
    onProgress(`image ${name}: importing (${elapsed()})`);
    await docker(options, ['import', archive, image.tag]);
  }
  onProgress(`image ${name}: ready (${elapsed()})`);
  return image.tag;
}

async function hasImage(tag: string, options: ImageOptions): Promise<boolean> {
  const { exitCode } = await docker(options, ['image', 'inspect', '--format', 'found', tag], { reject: false });
  return exitCode === 0;
}

async function buildArchive({ packages }: Image, archive: string, onProgress: (line: string) => void): Promise<void> {
  await mkdir(join(archive, '..'), { recursive: true });
  const work = await mkdtemp(`${archive}.`);
  try {
    const unfinished = join(work, 'rootfs.tar');
    const build = execa('mmdebstrap', [
      '--mode=auto',
      '--variant=essential',
      `--include=${packages.join(',')}`,
      '--aptopt=Acquire::Languages "none"',
      '--dpkgopt=path-exclude=/usr/share/doc/*',
      '--dpkgopt=path-exclude=/usr/share/locale/*',
      `--customize-hook=${join(HERE, 'finish-rootfs.sh')}`,
      DISTRIBUTION,
      unfinished,
    ], { all: true, buffer: false });
    const lines: string[] = [];
    try {
      for await (const line of build.iterable({ from: 'all' })) {
        lines.push(String(line));
        const step = /^I: (.+?)\.*$/.exec(String(line))?.[1];
        if (step) onProgress(step);
      }
    } catch (cause) {
      throw new Error(`mmdebstrap failed; its last words:\n${lines.slice(-15).join('\n')}`, { cause });
    }
    // Whoever builds the same at the same time ends with the same file.
    await rename(unfinished, archive);
  } finally {
    await rm(work, { recursive: true, force: true });
  }
}

async function dockerBuild({ packages, tag }: Image, options: ImageOptions): Promise<void> {
  await docker(options, ['build', '--build-arg', `PACKAGES=${packages.join(',')}`, '--tag', tag, HERE]);
}

function docker({ dockerSocket }: ImageOptions, args: string[], more: { reject?: boolean } = {}) {
  return execa('docker', ['--host', `unix://${dockerSocket}`, ...args], more);
}

async function isInstalled(command: string): Promise<boolean> {
  const { failed } = await execa(command, ['--version'], { reject: false });
  return !failed;
}
