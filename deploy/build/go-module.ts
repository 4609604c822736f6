import { createHash } from 'node:crypto';
import { createWriteStream } from 'node:fs';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { setGlobalProxyFromEnv } from 'node:http';
import { homedir } from 'node:os';
import { dirname, join } from 'node:path';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import yauzl from 'yauzl';
import { StartError } from '../host/start-error.ts';

const DEFAULT_PROXY = 'https://proxy.golang.org,direct';
const FETCH_MS = 300_000;
const MAX_BYTES = 1024 ** 3;

export type GoModule = {
  /** In lower case: the proxy's own way to write capitals is not needed here. */
  path: string;
  version: string;
  /** As the checksum database has it: `h1:` and the SHA-256, in base64, of the list of all files with their hashes. */
  hash: string;
  /** Files that match are only held against the hash. */
  omit?: RegExp;
};

/**
 * Unpacks a module from the Go module proxy into a directory. Throws `StartError` where no proxy has it, or what it has is
 * not what was asked for, and leaves nothing then.
 */
export async function fetchModule(
  { path, version, hash, omit }: GoModule,
  directory: string,
  signal?: AbortSignal,
): Promise<void> {
  const name = `${path}@${version}`;
  const archive = `${directory}.zip`;
  let complete = false;
  try {
    await rm(directory, { recursive: true, force: true });
    await download(`${path}/@v/${version}.zip`, archive, signal);
    const found = await unpack(archive, `${name}/`, directory, omit);
    if (found !== hash)
      throw new StartError(
        `the Go module proxy sent another ${name} than the checksum database lists: ${found}, not ${hash}`,
        'set GOPROXY to a proxy that you trust, or install Go from https://go.dev/dl',
      );
    complete = true;
  } finally {
    await rm(archive, { force: true });
    if (!complete) await rm(directory, { recursive: true, force: true });
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
async function unpack(archive: string, prefix: string, directory: string, omit?: RegExp): Promise<string> {
  const zip = await yauzl.openPromise(archive);
  const hashes = new Map<string, string>();
  let bytes = 0;
  for await (const entry of zip.eachEntry()) {
    const { fileName } = entry;
    bytes += entry.uncompressedSize;
    if (!fileName.startsWith(prefix) || bytes > MAX_BYTES) return 'a file that is too large or of another module';
    const hash = createHash('sha256');
    const stream = await zip.openReadStreamPromise(entry);
    if (omit?.test(fileName)) await pipeline(stream, hash);
    else {
      const path = join(directory, fileName.slice(prefix.length));
      await mkdir(dirname(path), { recursive: true });
      stream.on('data', (piece) => hash.update(piece));
      await pipeline(stream, createWriteStream(path));
    }
    hashes.set(fileName, hash.digest('hex'));
  }
  const lines = [...hashes.keys()].sort().map((name) => `${hashes.get(name)}  ${name}\n`);
  return `h1:${createHash('sha256').update(lines.join('')).digest('base64')}`;
}
