import { createHash } from 'node:crypto';
import { createReadStream, createWriteStream, existsSync } from 'node:fs';
import { chmod, copyFile, mkdir, open, rename, rm } from 'node:fs/promises';
import { setGlobalProxyFromEnv } from 'node:http';
import { basename, dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import yauzl from 'yauzl';

const FETCH_MS = 600_000;
const MAX_BYTES = 2 * 1024 ** 3;
/** The kernel's formats of programs: ELF, and scripts that name their interpreter. */
const PROGRAMS = ['\u007fELF', '#!'];

/** Something that a package registry has and Debian lacks, or has only in an old version. */
export type Archive = {
  url: string;
  /** Of what the URL has, in hexadecimal. */
  sha256: string;
  /** Absolute path in the image: a directory for the contents of `.tgz`, `.zip` and `.whl`, else the file itself. */
  to: string;
  /** Only what has one of these prefixes within the archive; default all. */
  only?: string[];
  /** The number of directories taken off the front of each name in the archive; default 0. */
  strip?: number;
};

export type AddOptions = {
  /** Fetched archives are kept in its directory `archives`, by checksum. */
  cacheDirectory: string;
  signal?: AbortSignal;
};

/** Fetches archives and unpacks them below a directory. Throws where one cannot be had or is not what its checksum says. */
export async function addArchives(
  archives: Archive[],
  root: string,
  options: AddOptions,
  progress: (line: string) => void,
): Promise<void> {
  await mkdir(root, { recursive: true });
  for (const archive of archives) {
    progress(`adding ${basename(archive.url)}`);
    const file = await ensureFetched(archive, options);
    await unpack(archive, file, join(root, archive.to));
  }
  // Whatever the builder's umask: others than root run these.
  await execa('chmod', ['-R', 'u=rwX,go=rX', root]);
}

async function ensureFetched({ url, sha256 }: Archive, { cacheDirectory, signal }: AddOptions): Promise<string> {
  const file = join(cacheDirectory, 'archives', sha256);
  if (existsSync(file)) return file;
  await mkdir(dirname(file), { recursive: true });
  const unfinished = `${file}.${process.pid}`;
  try {
    const found = await download(url, unfinished, signal);
    if (found !== sha256)
      throw new Error(`${url} is not what images.json says: its SHA-256 is ${found}, not ${sha256}`);
    await rename(unfinished, file);
  } finally {
    await rm(unfinished, { force: true });
  }
  return file;
}

/** Answers with the SHA-256 of what came. */
async function download(url: string, file: string, signal: AbortSignal | undefined): Promise<string> {
  const end = AbortSignal.any([AbortSignal.timeout(FETCH_MS), ...(signal ? [signal] : [])]);
  const restore = setGlobalProxyFromEnv();
  try {
    const response = await fetch(url, { signal: end });
    if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
    await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
  } catch (cause) {
    throw new Error(`E: Failed to fetch ${url}: ${(cause as Error).message}`, { cause });
  } finally {
    restore();
  }
  const hash = createHash('sha256');
  await pipeline(createReadStream(file), hash);
  return hash.digest('hex');
}

async function unpack(archive: Archive, file: string, to: string): Promise<void> {
  const { url, only = [], strip = 0 } = archive;
  if (/\.(zip|whl)$/.test(url)) return unpackZip(file, to, { only, strip });
  if (!/\.(tgz|tar\.gz)$/.test(url)) {
    await mkdir(dirname(to), { recursive: true });
    return copyFile(file, to);
  }
  await mkdir(to, { recursive: true });
  const options = ['--no-same-owner', `--strip-components=${strip}`, '--file', file, '--directory', to];
  await execa('tar', ['--extract', '--gzip', ...options, '--', ...only]);
}

/** yauzl refuses names that lead out of the directory. */
async function unpackZip(file: string, to: string, { only, strip }: { only: string[]; strip: number }): Promise<void> {
  const zip = await yauzl.openPromise(file);
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName } = entry;
    if (fileName.endsWith('/') || (only.length > 0 && !only.some((prefix) => fileName.startsWith(prefix)))) continue;
    bytes += entry.uncompressedSize;
    if (bytes > MAX_BYTES) throw new Error(`${file} has more than ${MAX_BYTES} bytes in it`);
    const path = join(to, ...fileName.split('/').slice(strip));
    await mkdir(dirname(path), { recursive: true });
    await pipeline(await zip.openReadStreamPromise(entry), createWriteStream(path));
    // Zips of modules carry no modes.
    if (await isProgram(path)) await chmod(path, 0o755);
  }
}

async function isProgram(path: string): Promise<boolean> {
  await using file = await open(path);
  const { buffer, bytesRead } = await file.read(Buffer.alloc(4), 0, 4, 0);
  const start = buffer.toString('latin1', 0, bytesRead);
  return PROGRAMS.some((magic) => start.startsWith(magic));
}
