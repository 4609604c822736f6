import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { execa } from 'execa';
import { missingFile } from '#libs/missing.ts';
import { readExternal } from './external.ts';
import type { Progress } from './root.ts';

/** A command that is needed, and the Debian package that brings it. */
export type Need = { command: string; package: string; unless: () => boolean };

const NEEDED: Need[] = [
  {
    command: 'dockerd',
    package: 'docker.io',
    unless: () => existsSync('/var/run/docker.sock') || readExternal(process.env).dockerHost !== undefined,
  },
  { command: 'docker', package: 'docker.io', unless: () => false },
  { command: 'mmdebstrap', package: 'mmdebstrap', unless: () => false },
  {
    command: 'nats-server',
    package: 'nats-server',
    unless: () => readExternal(process.env).natsUrl !== undefined,
  },
  { command: 'flock', package: 'util-linux', unless: () => false },
];

// What the modules of the agent ask for.
const GO_VERSION = [1, 25] as const;

/**
 * Installs what is missing, after saying what; throws with the command that mends it where that is not ours to do.
 * `needs`: default, what a platform needs.
 */
export async function ensureSystemPackages(progress: Progress, needs = NEEDED): Promise<void> {
  const missing = [...new Set((await findMissing(needs)).map(({ package: name }) => name))];
  if (missing.length > 0) {
    const fix = `apt-get install -y --no-install-recommends ${missing.join(' ')}`;
    if (process.getuid?.() !== 0 || !(await isDebian()))
      throw new Error(`missing: ${missing.join(', ')}\n  fix: sudo ${fix}`);
    progress(`installing system packages: ${missing.join(' ')}`);
    // A third-party source that fails is not in the way of Debian's own.
    await execa('apt-get', ['update', '-qq'], { reject: false });
    const env = { DEBIAN_FRONTEND: 'noninteractive' };
    await execa('apt-get', ['install', '-y', '-qq', '--no-install-recommends', ...missing], { env });
  }
  const go = await goVersion();
  if (!go || go[0] < GO_VERSION[0] || (go[0] === GO_VERSION[0] && go[1] < GO_VERSION[1]))
    throw new Error(
      `missing: Go ${GO_VERSION.join('.')} or newer\n  fix: install it from https://go.dev/dl and put it on PATH`,
    );
}

export async function findMissing(needs = NEEDED): Promise<Need[]> {
  const found = await Promise.all(needs.map(async (need) => need.unless() || (await hasCommand(need.command))));
  return needs.filter((_, index) => !found[index]);
}

export async function hasCommand(command: string): Promise<boolean> {
  return (process.env.PATH ?? '').split(':').some((directory) => existsSync(`${directory}/${command}`));
}

/** Major and minor version of the Go on PATH. */
export async function goVersion(): Promise<[number, number] | undefined> {
  const { stdout = '' } = await execa('go', ['env', 'GOVERSION'], {
    reject: false,
  });
  const found = /^go(\d+)\.(\d+)/.exec(stdout);
  return found ? [Number(found[1]), Number(found[2])] : undefined;
}

async function isDebian(): Promise<boolean> {
  const release = await readFile('/etc/os-release', 'utf8').catch(missingFile);
  return /^(ID|ID_LIKE)=.*(debian|ubuntu)/m.test(release ?? '');
}
