import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { missingFile } from '#libs/missing.ts';
import { readExternal } from './external.ts';
import type { Progress } from './root.ts';
import { StartError } from './start-error.ts';

/** A command that is needed, and the Debian package that brings it. */
export type Need = {
  command: string;
  package: string;
  /** A package that brings it on releases that have one of that name. */
  ownPackage?: string;
  unless: () => boolean;
};

const NEEDED: Need[] = [
  {
    command: 'dockerd',
    package: 'docker.io',
    unless: () => existsSync('/var/run/docker.sock') || readExternal(process.env).dockerHost !== undefined,
  },
  { command: 'docker', package: 'docker.io', ownPackage: 'docker-cli', unless: () => false },
  { command: 'mmdebstrap', package: 'mmdebstrap', unless: () => false },
  {
    command: 'nats-server',
    package: 'nats-server',
    unless: () => readExternal(process.env).natsUrl !== undefined,
  },
  { command: 'flock', package: 'util-linux', unless: () => false },
];

/** What tests look at pages with. */
export const BROWSER: Need = { command: 'chromium', package: 'chromium', unless: () => false };

/** Of apt-get, which others may be using. */
const LOCK_SECONDS = 300;

/**
 * Installs what is missing, after telling what; throws with the command that mends it where that is not ours to do.
 * `needs`: default, what a platform needs. `signal` ends the fetching, and never the installing.
 */
export async function ensureSystemPackages(tell: Progress, needs = NEEDED, signal?: AbortSignal): Promise<void> {
  const missing = await findMissing(needs);
  if (missing.length === 0) return;
  const names = await packagesOf(missing);
  const fix = `apt-get install -y --no-install-recommends ${names.join(' ')}`;
  if (process.getuid?.() !== 0 || !(await isDebian()))
    throw new StartError(`these packages are missing: ${names.join(', ')}`, `sudo ${fix}`);
  tell(`installing ${names.join(', ')}`);
  // One that was cut short.
  await run('dpkg', ['--configure', '-a']);
  const aptGet = (args: string[], signal?: AbortSignal) =>
    run('apt-get', ['-o', `DPkg::Lock::Timeout=${LOCK_SECONDS}`, '-qq', ...args], signal);
  const install = async (...how: string[]) => [
    'install',
    '-y',
    '--no-install-recommends',
    ...how,
    ...(await packagesOf(missing)),
  ];
  const fetched = await aptGet(await install('--download-only'), signal);
  // Its lists are missing or old. A third-party source that fails is not in the way of Debian's own.
  if (fetched.failed) await aptGet(['update'], signal);
  signal?.throwIfAborted();
  const { failed, all = '' } = await aptGet(await install());
  if (!failed) return;
  const why = all.split('\n').find((line) => line.startsWith('E: ')) ?? all.split('\n').at(-1);
  throw new StartError(`${names.join(', ')} could not be installed: ${why}`, `check the network, then ${fix}`);
}

/** By the names that this release has. */
async function packagesOf(needs: Need[]): Promise<string[]> {
  const names = needs.map(async ({ package: name, ownPackage }) => {
    if (!ownPackage) return name;
    const { failed } = await execa('apt-cache', ['show', ownPackage], { reject: false });
    return failed ? name : ownPackage;
  });
  return [...new Set(await Promise.all(names))];
}

/** Ctrl-C, which reaches a whole group of processes, would leave packages half installed. */
function run(command: string, args: string[], signal?: AbortSignal) {
  const env = { DEBIAN_FRONTEND: 'noninteractive' };
  const apart = { detached: true, cleanup: false, ...(signal && { cancelSignal: signal }) };
  return execa(command, args, { env, all: true, reject: false, ...apart });
}

export async function findMissing(needs = NEEDED): Promise<Need[]> {
  const found = await Promise.all(needs.map(async (need) => need.unless() || (await hasCommand(need.command))));
  return needs.filter((_, index) => !found[index]);
}

export async function hasCommand(command: string): Promise<boolean> {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(`${directory}/${command}`));
}

async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(missingFile);
  return /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(release ?? '');
}
