import { existsSync } from 'node:fs';
import { chmod, glob, mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { execa } from 'execa';
import { lockFile } from '../host/file-lock.ts';
import { BUILD, type Progress } from '../host/root.ts';
import { StartError } from '../host/start-error.ts';
import { fetchModule } from './go-module.ts';

/** What the modules of the agent ask for. */
export const GO_NEEDED = [1, 26] as const;
/** Half of a toolchain's files. */
const ITS_OWN_TESTS = /\/testdata\/|_test\.go$|@[^/]+\/(test|api|doc)\//;
const GO_VERSION = 'go1.26.8';
/** The hashes of these modules in the checksum database, sum.golang.org. */
const TOOLCHAINS: Record<string, { platform: string; hash: string }> = {
  x64: { platform: 'linux-amd64', hash: 'h1:ZOmGe1OnfREDMIdb1Qi4G9JSuDPBLGExZMQ4nis1RXM=' },
  arm64: { platform: 'linux-arm64', hash: 'h1:sYL/O6MqS68ML0kjsQ36WoYIpJqkw60TxizWUYUKQMc=' },
};

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
  await ensureToolchain(toolchain, directory, tell, signal);
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

type Toolchain = { platform: string; hash: string };

async function ensureToolchain(
  { platform, hash }: Toolchain,
  directory: string,
  tell: Progress,
  signal: AbortSignal | undefined,
): Promise<void> {
  if (existsSync(directory)) return;
  await mkdir(dirname(directory), { recursive: true });
  await using _lock = await lockFile(`${directory}.lock`, signal);
  if (existsSync(directory)) return;
  tell(`fetching ${GO_VERSION} from the Go module proxy (70 MB)`);
  const unfinished = `${directory}.new`;
  const version = `v0.0.1-${GO_VERSION}.${platform}`;
  await fetchModule({ path: 'golang.org/toolchain', version, hash, omit: ITS_OWN_TESTS }, unfinished, signal);
  await makeRunnable(unfinished);
  await rename(unfinished, directory);
}

/** A module's zip knows neither who may run a file, nor a go.mod other than the module's own. */
async function makeRunnable(directory: string): Promise<void> {
  for await (const file of glob(['bin/*', 'pkg/tool/**/*'], { cwd: directory }))
    await chmod(join(directory, file), 0o755);
  for await (const file of glob('src/{,cmd/}_go.mod', { cwd: directory }))
    await rename(join(directory, file), join(directory, dirname(file), 'go.mod'));
}
