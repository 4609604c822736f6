import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chmod, cp, glob, mkdir, readdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { lockFile } from '../host/file-lock.ts';
import type { Progress } from '../host/root.ts';

const HERE = import.meta.dirname;
const REPORT_MS = 30_000;
const LAST_LINES = 20;

/** Directories with the programs by their own names; that of Calico has the definitions of its resources in `crd`. */
export type Binaries = { kubernetes: string; calico: string; gvisor: string; dns: string; pause: string };

type Module = {
  name: keyof Binaries | 'helm' | 'compose';
  /** What its binary is called by to be each of its programs. */
  programs: string[];
  /** Go's linker is told these. */
  settings?: (module: string) => string[];
  /** What the cluster needs besides, out of the sources. */
  collect?: (run: Run, directory: string) => Promise<void>;
};

type Run = (args: string[]) => ReturnType<typeof go>;

const MODULES: Module[] = [
  {
    name: 'kubernetes',
    programs: [
      'etcd',
      'kube-apiserver',
      'kube-controller-manager',
      'kube-scheduler',
      'kubelet',
      'kube-proxy',
      'kubectl',
    ],
    settings: versionOfKubernetes,
  },
  { name: 'calico', programs: ['calico', 'calico-felix'], collect: collectDefinitions },
  { name: 'gvisor', programs: ['runsc', 'containerd-shim-runsc-v1'] },
  { name: 'dns', programs: ['coredns'] },
  { name: 'pause', programs: [] },
];

/** Not of the cluster, but of an operator who installs into one. */
const HELM: Module = { name: 'helm', programs: [], settings: versionOfHelm };
/** Of the `docker` command, for machines whose distribution has none. */
const COMPOSE: Module = { name: 'compose', programs: ['docker-compose'] };

/**
 * Builds what the cache lacks of a cluster's programs, from the sources that the Go module proxy serves: some ten
 * minutes on two cores, once. May be called by any number of processes at once: one builds, the others wait for it.
 * `signal` ends both, and the next call goes on from there.
 */
export async function ensureBinaries(
  cacheDirectory: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<Binaries> {
  await mkdir(cacheDirectory, { recursive: true });
  const directories: [string, string][] = [];
  // One after the other: a build keeps every core busy by itself.
  for (const module of MODULES)
    directories.push([module.name, await ensureModule(module, cacheDirectory, progress, signal)]);
  return Object.fromEntries(directories) as Binaries;
}

/** Builds Helm, as above: some two minutes, once. Answers with its path. */
export async function ensureHelm(cacheDirectory: string, progress: Progress): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  return join(await ensureModule(HELM, cacheDirectory, progress), 'helm');
}

/** Builds the compose plugin, likewise. Answers with its path, whose name is the one that `docker` looks for. */
export async function ensureCompose(cacheDirectory: string, progress: Progress): Promise<string> {
  await mkdir(cacheDirectory, { recursive: true });
  return join(await ensureModule(COMPOSE, cacheDirectory, progress), 'docker-compose');
}

async function ensureModule(
  module: Module,
  cacheDirectory: string,
  progress: Progress,
  signal?: AbortSignal,
): Promise<string> {
  const directory = join(cacheDirectory, `${module.name}-${await hashOf(module)}`);
  // Renamed into place when it is complete.
  if (existsSync(directory)) return directory;
  await using _lock = await lockFile(join(cacheDirectory, `${module.name}.lock`), signal);
  if (existsSync(directory)) return directory;
  // Gigabytes, of no use once the binary is there. A build that is cut short leaves it, so that the next one goes on from it.
  const work = join(cacheDirectory, `${module.name}.building`);
  const bin = join(work, 'bin');
  await rm(bin, { recursive: true, force: true });
  await build(module, { work, bin, progress, signal });
  await rename(bin, directory);
  await rm(work, { recursive: true, force: true });
  return directory;
}

async function hashOf({ name, programs, settings }: Module): Promise<string> {
  const hash = createHash('sha256');
  const files: string[] = [];
  for await (const file of glob(['go.mod', 'go.sum', '*.go'], { cwd: join(HERE, name) })) files.push(file);
  for (const file of files.sort()) hash.update(file).update(await readFile(join(HERE, name, file)));
  hash.update(JSON.stringify([programs, settings?.(await readModule(name))]));
  return hash.digest('hex').slice(0, 12);
}

type Build = { work: string; bin: string; progress: Progress; signal: AbortSignal | undefined };

async function build(module: Module, { work, bin, progress, signal }: Build): Promise<void> {
  const { name, programs, settings, collect } = module;
  const started = performance.now();
  const say = (line: string) => progress(`${name}: ${line} (${((performance.now() - started) / 1000).toFixed(0)} s)`);
  const environment = { GOCACHE: join(work, 'cache'), GOMODCACHE: join(work, 'modules'), GOFLAGS: '-modcacherw' };
  const run: Run = (args) => go(args, name, environment, signal);
  await mkdir(bin, { recursive: true });

  say('fetching its modules, then building them');
  const flags = ['-s', '-w', ...(settings?.(await readModule(name)) ?? []).map((setting) => `-X ${setting}`)];
  const building = run(['build', '-v', '-trimpath', '-buildvcs=false', '-ldflags', flags.join(' '), '-o', bin, '.']);
  const lines: string[] = [];
  const packages = () => lines.filter((line) => !line.startsWith('go: ')).length;
  const report = setInterval(() => say(`${packages()} packages built or under way`), REPORT_MS);
  try {
    for await (const line of building.iterable({ from: 'stderr' })) lines.push(line);
  } catch (cause) {
    throw new Error(`${name} cannot be built:\n${lines.slice(-LAST_LINES).join('\n')}`, { cause });
  } finally {
    clearInterval(report);
  }
  for (const program of programs.filter((program) => program !== name)) await symlink(name, join(bin, program));
  await collect?.(run, bin);
  say('built');
}

function go(args: string[], module: string, environment: Record<string, string>, signal?: AbortSignal) {
  const env = { CGO_ENABLED: '0', GOWORK: 'off', ...environment };
  return execa('go', args, { cwd: join(HERE, module), env, ...(signal && { cancelSignal: signal }) });
}

function readModule(name: string): Promise<string> {
  return readFile(join(HERE, name, 'go.mod'), 'utf8');
}

/** What its own build writes into it: without, the API server has no version, which clients ask for and kubelets are held to. */
function versionOfKubernetes(module: string): string[] {
  const [, version, major, minor] = /k8s\.io\/kubernetes (v(\d+)\.(\d+)\S*)/.exec(module) ?? [];
  const values = {
    gitVersion: version,
    gitMajor: major,
    gitMinor: minor,
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
  };
  return ['k8s.io/component-base/version', 'k8s.io/client-go/pkg/version'].flatMap((name) =>
    Object.entries(values).map(([key, value]) => `${name}.${key}=${value}`),
  );
}

/** Without, it takes itself for an early version of its own major one. */
function versionOfHelm(module: string): string[] {
  const version = /helm\.sh\/helm\/v4 (v\S+)/.exec(module)?.[1];
  return [`helm.sh/helm/v4/internal/version.version=${version}`];
}

async function collectDefinitions(run: Run, directory: string): Promise<void> {
  const { stdout } = await run(['list', '-m', '-f', '{{.Dir}}', 'github.com/projectcalico/calico']);
  const definitions = join(directory, 'crd');
  await cp(join(stdout, 'libcalico-go/config/crd'), definitions, { recursive: true });
  for (const file of await readdir(definitions)) await chmod(join(definitions, file), 0o644);
}
