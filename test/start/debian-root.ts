import { existsSync } from 'node:fs';
import { mkdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { onTestFinished } from 'vitest';
import { ROOT } from '../../deploy/host/root.ts';
import { follow, type Run } from './start-process.ts';

/** All that a newcomer has: nothing else is installed there. */
const PACKAGES = ['nodejs', 'npm', 'ca-certificates'];
const AUTHORITIES = '/etc/ssl/certs/ca-certificates.crt';
const CHECKOUT = '/drydock';

/** What a process of the root finds there of this machine: devices, control groups, names of hosts, authorities. */
const ENTER = `
root=$1
shift
mount --bind "$root" "$root"
mount -t proc proc "$root/proc"
mount --rbind /sys "$root/sys"
mount --rbind /dev "$root/dev"
for file in /etc/resolv.conf /etc/hosts ${AUTHORITIES}; do cat "$file" > "$root$file"; done
while [ "$1" != -- ]; do
  mkdir -p "$root/caches/$1"
  mount --bind "$2" "$root/caches/$1"
  shift 2
done
shift
cd "$root"
mkdir -p machine
pivot_root . machine
umount -l /machine
cd ${CHECKOUT}
exec env --ignore-environment "$@"
`;

export type DebianRoot = {
  /** Runs a command in the checkout, in namespaces of its own: whatever it started ends with it. */
  run(command: string[], options?: { offline?: boolean }): Run;
};

/**
 * A Debian of a release with Node, npm and this checkout, and no more, until the test has ended. `caches` are directories
 * of this machine that it may use instead of building again: one of images and that of Go; default: none.
 */
export async function makeDebianRoot(
  release: string,
  options: {
    directory: string;
    archives: string;
    environment: Record<string, string>;
    caches?: Record<'images' | 'go', string>;
  },
): Promise<DebianRoot> {
  const root = join(options.directory, release);
  const archive = await ensureArchive(release, options.archives);
  await mkdir(join(root, CHECKOUT), { recursive: true });
  onTestFinished(() => rm(root, { recursive: true, force: true }));
  await execa('tar', ['-xf', archive, '-C', root]);
  const { stdout: files } = await execa('git', ['ls-files', '-z'], { cwd: ROOT });
  const copy = execa('tar', ['-c', '--null', '--ignore-failed-read', '-T', '-'], {
    cwd: ROOT,
    input: files,
    buffer: false,
  });
  await copy.pipe('tar', ['-x', '-C', join(root, CHECKOUT)]);
  const variables = { ...(await machineVariables()), ...options.environment };
  if (options.caches) Object.assign(variables, { DRYDOCK_IMAGE_CACHE: '/caches/images', GOCACHE: '/caches/go' });
  const pairs = Object.entries(variables).map(([name, value]) => `${name}=${value}`);
  return {
    run(command, { offline = false } = {}) {
      const namespaces = ['--mount', '--pid', '--fork', '--kill-child', ...(offline ? ['--net'] : [])];
      const inside = [root, ...Object.entries(options.caches ?? {}).flat(), '--', ...pairs, ...command];
      return follow(['unshare', ...namespaces, 'sh', '-euc', ENTER, 'sh', ...inside], {});
    },
  };
}

/** Made once, by the machine's own mirror where its apt has one. */
async function ensureArchive(release: string, directory: string): Promise<string> {
  const archive = join(directory, `debian-${release}-${PACKAGES.join('-')}.tar`);
  if (existsSync(archive)) return archive;
  await mkdir(directory, { recursive: true });
  const format = ['--format', '$(SITE) $(CODENAME)', 'Created-By: Packages'];
  const { stdout = '' } = await execa('apt-get', ['indextargets', ...format], { reject: false });
  const mirror = stdout.split('\n').find((line) => /^\S+ (bookworm|trixie)$/.test(line));
  const unfinished = archive.replace(/\.tar$/, '.new.tar');
  const apt = ['--aptopt=Acquire::Languages "none"', '--dpkgopt=force-unsafe-io'];
  const from = [release, unfinished, ...(mirror ? [mirror.split(' ')[0]!] : [])];
  await execa('mmdebstrap', ['--variant=minbase', ...apt, `--include=${PACKAGES.join(',')}`, ...from]);
  await rename(unfinished, archive);
  return archive;
}

/** How this machine reaches the registries of npm and Go, which the root needs as much. */
async function machineVariables(): Promise<Record<string, string>> {
  const ask = async (command: string, ...args: string[]) => (await execa(command, args)).stdout.trim();
  const proxies = Object.entries(process.env).filter(([name]) => /^(https?|no)_proxy$/i.test(name));
  return {
    ...(Object.fromEntries(proxies) as Record<string, string>),
    PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
    HOME: '/root',
    GOPROXY: await ask('go', 'env', 'GOPROXY'),
    npm_config_registry: await ask('npm', 'config', 'get', 'registry'),
    npm_config_cafile: AUTHORITIES,
    NODE_EXTRA_CA_CERTS: AUTHORITIES,
    // One that cannot be reached is told at once.
    npm_config_fetch_retries: '0',
  };
}
