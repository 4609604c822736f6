import { createHash } from 'node:crypto';
import { createWriteStream, existsSync } from 'node:fs';
import { chmod, glob, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { setGlobalProxyFromEnv } from 'node:http';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { execa } from 'execa';
import yauzl from 'yauzl';
import { lockFile } from './file-lock.ts';
import { BUILD, type Progress } from './root.ts';
import { StartError } from './start-error.ts';

/** What the modules of the agent ask for. */
export const GO_NEEDED = [1, 26] as const;
const GO_VERSION = 'go1.26.8';
/** The hashes of these modules in the checksum database, sum.golang.org. */
const TOOLCHAINS: Record<string, { platform: string; hash: string }> = {
  x64: { platform: 'linux-amd64', hash: 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=' },
  arm64: { platform: 'linux-arm64', hash: 'h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=' },
};
const DEFAULT_PROXY = 'https://proxy.golang.org,direct';
const FETCH_MS = 300_000;
const MAX_BYTES = 1024 ** 3;

/**
 * Makes sure that there is a Go on PATH that is new enough. Where there is none, a toolchain comes from the Go module proxy,
 * as the `go` command itself gets one, is held against the hash that is pinned here, and is kept in `.build`.
 */
export async function ensureGo(tell: Progress, signal?: AbortSignal): Promise<void> {
  if (isEnough(await goVersion())) return;
  const toolchain = TOOLCHAINS[process.arch];
  if (process.platform !== 'linux' || !toolchain)
    throw new StartError(`Go ${GO_NEEDED.join('.')} or newer is missing`, 'install it from https://go.dev/dl');
  const directory = join(BUILD, GO_VERSION);
  await fetchToolchain({ ...toolchain, version: GO_VERSION, directory, tell, ...(signal && { signal }) });
  process.env.PATH = `${join(directory, 'bin')}:${process.env.PATH}`;
  // The toolchain is the one that was asked for, whatever a go.mod would prefer.
  process.env.GOTOOLCHAIN = 'local';
}

/** Major and minor version of the Go on PATH. */
export async function goVersion(): Promise<[number, number] | undefined> {
  const { stdout = '' } = await execa('go', ['env', 'GOVERSION'], { reject: false });
  const found = /^go(\d+)\.(\d+)/.exec(stdout);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

export function isEnough(version: [number, number] | undefined): boolean {
  if (!version) return false;
  return version[0] > GO_NEEDED[0] || (version[0] === GO_NEEDED[0] && version[1] >= GO_NEEDED[1]);
}

type Toolchain = {
  /** As in `go1.26.8`. */
  version: string;
  /** As in `linux-amd64`. */
  platform: string;
  /** `h1:` and the SHA-256, in base64, of the list of all files with their hashes. */
  hash: string;
  directory: string;
  tell: Progress;
  signal?: AbortSignal;
};

/** Unpacks the module of a toolchain. Throws `StartError` where no proxy has it, or what it has is not what was asked for. */
export async function fetchToolchain({ version, platform, hash, directory, tell, signal }: Toolchain): Promise<void> {
  if (existsSync(directory)) return;
  await mkdir(dirname(directory), { recursive: true });
  await using _lock = await lockFile(`${directory}.lock`);
  if (existsSync(directory)) return;
  const name = `golang.org/toolchain@v0.0.1-${version}.${platform}`;
  const archive = `${directory}.zip`;
  const unfinished = `${directory}.new`;
  try {
    await rm(unfinished, { recursive: true, force: true });
    tell(`fetching ${version} from the Go module proxy (70 MB)`);
    await download(`golang.org/toolchain/@v/v0.0.1-${version}.${platform}.zip`, archive, signal);
    const found = await unpack(archive, `${name}/`, unfinished);
    if (found !== hash)
      throw new StartError(
        `the Go module proxy sent another ${name} than the checksum database lists: ${found}, not ${hash}`,
        'set GOPROXY to a proxy that you trust, or install Go from https://go.dev/dl',
      );
    await makeRunnable(unfinished);
    await rename(unfinished, directory);
  } finally {
    for (const path of [archive, unfinished]) await rm(path, { recursive: true, force: true });
  }
}

/** From the first proxy of `GOPROXY` that has it. */
async function download(path: string, file: string, signal: AbortSignal | undefined): Promise<void> {
  const proxies = (await goProxy()).split(/[,|]/).map((each) => each.trim());
  const urls = proxies.filter((each) => each && each !== 'direct' && each !== 'off');
  const problems: string[] = [];
  // Those of the machine, which npm and apt know too; a platform's own addresses are never asked through one.
  const noProxy = [process.env.no_proxy ?? process.env.NO_PROXY, '127.0.0.1', 'localhost'].filter(Boolean).join();
  const restore = setGlobalProxyFromEnv({ ...process.env, NO_PROXY: noProxy, no_proxy: noProxy });
  try {
    for (const url of urls) {
      try {
        return await downloadFrom(url, path, file, signal);
      } catch (error) {
        if (signal?.aborted) throw error;
        const { message, cause } = error as Error;
        problems.push(`${new URL(url).host}: ${cause instanceof Error ? cause.message || message : message}`);
      }
    }
  } finally {
    restore();
  }
  throw new StartError(
    `Go cannot be fetched from a Go module proxy: ${problems.join('; ') || 'GOPROXY names none'}`,
    'check the network and GOPROXY, or install Go from https://go.dev/dl and put it on PATH',
  );
}

async function downloadFrom(proxy: string, path: string, file: string, signal: AbortSignal | undefined): Promise<void> {
  const url = new URL(`${proxy.replace(/\/$/, '')}/${path}`);
  const headers: Record<string, string> = {};
  // A URL to fetch may not have them.
  if (url.username) {
    const credentials = `${decodeURIComponent(url.username)}:${decodeURIComponent(url.password)}`;
    headers.authorization = `Basic ${Buffer.from(credentials).toString('base64')}`;
    url.username = '';
    url.password = '';
  }
  const end = AbortSignal.any([AbortSignal.timeout(FETCH_MS), ...(signal ? [signal] : [])]);
  const response = await fetch(url, { headers, signal: end });
  if (!response.ok || !response.body) throw new Error(`status ${response.status}`);
  await pipeline(Readable.fromWeb(response.body), createWriteStream(file));
}

/** What the `go` command would use: the variable, its own file of settings, or its default. */
async function goProxy(): Promise<string> {
  if (process.env.GOPROXY) return process.env.GOPROXY;
  const home = process.env.XDG_CONFIG_HOME || join(homedir(), '.config');
  const settings = await readFile(process.env.GOENV || join(home, 'go/env'), 'utf8').catch(() => '');
  return /^GOPROXY=(.+)$/m.exec(settings)?.[1] ?? DEFAULT_PROXY;
}

/** Unpacks a module's zip, whose names all begin with its own, and answers with its hash. */
async function unpack(archive: string, prefix: string, directory: string): Promise<string> {
  const zip = await yauzl.openPromise(archive);
  const hashes = new Map<string, string>();
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName } = entry;
    bytes += entry.uncompressedSize;
    if (!fileName.startsWith(prefix)) throw new Error(`the archive has a file outside of its module: ${fileName}`);
    if (bytes > MAX_BYTES) throw new Error('the archive is too large');
    const path = join(directory, fileName.slice(prefix.length));
    await mkdir(dirname(path), { recursive: true });
    const hash = createHash('sha256');
    const stream = await zip.openReadStreamPromise(entry);
    stream.on('data', (piece) => hash.update(piece));
    await pipeline(stream, createWriteStream(path));
    hashes.set(fileName, hash.digest('hex'));
  }
  const lines = [...hashes.keys()].sort().map((name) => `${hashes.get(name)}  ${name}\n`);
  return `h1:${createHash('sha256').update(lines.join('')).digest('base64')}`;
}

/** A module's zip knows neither who may run a file, nor a go.mod other than the module's own. */
async function makeRunnable(directory: string): Promise<void> {
  for await (const file of glob(['bin/*', 'pkg/tool/**/*'], { cwd: directory }))
    await chmod(join(directory, file), 0o755);
  for await (const file of glob('src/{,cmd/}_go.mod', { cwd: directory }))
    await rename(join(directory, file), join(directory, dirname(file), 'go.mod'));
}
