import { existsSync, readFileSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { freemem } from 'node:os';
import { Command, Option } from 'commander';
import { goVersion, isEnough } from '../build/go.ts';
import { readExternal } from '../host/external.ts';
import { portsOf, takenPorts } from '../host/ports.ts';
import { readSettings, VARIABLES } from '../host/settings.ts';
import { findMissing, hasCommand } from '../host/system-packages.ts';
import { answers } from '../local/engine.ts';
import type { Finding } from './finding.ts';
import { examineKernelLimits } from './kernel-limits.ts';
import { examineUserIds } from './user-ids.ts';

const GiB = 1024 ** 3;
const DISK_GIB = 12;
const MEMORY_GIB = 2;

const command = new Command('npm run doctor --')
  .description(
    'Says what this machine has of what Drydock needs, and how to mend what it lacks. Exits with 1 where something is missing.',
  )
  .addOption(
    new Option('--backend <name>', 'what is to run sandboxes').choices(['docker', 'kubernetes']).default('docker'),
  )
  .addHelpText('after', `\n${VARIABLES}`)
  .parse();
const { backend } = command.opts<{ backend: 'docker' | 'kubernetes' }>();

const findings = [
  ...(await packages()),
  await engine(),
  cgroups(),
  await go(),
  await disk(),
  memory(),
  await ports(),
  userNamespaces(),
  await examineKernelLimits(),
  await userIds(),
  ...(backend === 'kubernetes' ? await cluster() : [await gvisor()]),
];
for (const { name, ok, found, fix, optional } of findings) {
  const mark = ok ? 'ok      ' : optional ? 'optional' : 'MISSING ';
  process.stdout.write(`${mark} ${name}: ${found}\n${!ok && fix ? `         fix: ${fix}\n` : ''}`);
}
if (findings.some(({ ok, optional }) => !ok && !optional)) process.exit(1);

/** Its library, which takes a while, is not loaded for others. */
async function cluster(): Promise<Finding[]> {
  const { examineCluster } = await import('./cluster.ts');
  return examineCluster(readExternal(process.env).kubeconfig);
}

async function packages(): Promise<Finding[]> {
  const missing = await findMissing();
  if (missing.length === 0) return [{ name: 'system packages', ok: true, found: 'all there' }];
  return missing.map(({ command, package: name }) => ({
    name: command,
    ok: false,
    found: 'not on PATH',
    fix: `apt-get install -y --no-install-recommends ${name} (npm start does it as root on Debian and Ubuntu)`,
  }));
}

function engineSocket(): string {
  return readExternal(process.env).dockerHost?.replace(/^unix:\/\//, '') ?? '/var/run/docker.sock';
}

async function userIds(): Promise<Finding> {
  return examineUserIds(process.env, (await answers(engineSocket())) ? engineSocket() : undefined);
}

async function engine(): Promise<Finding> {
  const name = 'Docker engine';
  const socket = engineSocket();
  if (await answers(socket)) return { name, ok: true, found: socket };
  if (readExternal(process.env).dockerHost)
    return {
      name,
      ok: false,
      found: `nobody answers at ${socket}`,
      fix: 'start it, or unset DOCKER_HOST',
    };
  const root = process.getuid?.() === 0;
  return {
    name,
    ok: root,
    found: root ? 'none runs; npm start brings its own' : 'none runs',
    fix: 'start one, or run npm start as root',
  };
}

function cgroups(): Finding {
  const version = existsSync('/sys/fs/cgroup/cgroup.controllers') ? 2 : existsSync('/sys/fs/cgroup/memory') ? 1 : 0;
  const fix = 'mount cgroup v2 at /sys/fs/cgroup';
  return {
    name: 'control groups',
    ok: version > 0,
    found: version ? `version ${version}` : 'not mounted',
    fix,
  };
}

async function go(): Promise<Finding> {
  const version = await goVersion();
  return {
    name: 'Go',
    ok: isEnough(version),
    found: `${version ? version.join('.') : 'not on PATH'}${isEnough(version) ? '' : '; npm start brings its own'}`,
    optional: true,
  };
}

async function disk(): Promise<Finding> {
  const { dataDirectory } = readSettings(process.env, 1);
  const existing = existsSync(dataDirectory) ? dataDirectory : '/';
  const { bavail, bsize } = await statfs(existing);
  const free = (bavail * bsize) / GiB;
  const fix = `free some, or set DRYDOCK_DATA_DIR to a disk with ${DISK_GIB} GiB`;
  return {
    name: 'disk',
    ok: free >= DISK_GIB,
    found: `${free.toFixed(1)} GiB free at ${existing}`,
    fix,
  };
}

function memory(): Finding {
  const available =
    Number(/^MemAvailable:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1] ?? freemem() / 1024) / 1024 ** 2;
  return {
    name: 'memory',
    ok: available >= MEMORY_GIB,
    found: `${available.toFixed(1)} GiB available`,
    fix: `${MEMORY_GIB} GiB are needed`,
  };
}

async function ports(): Promise<Finding> {
  const settings = readSettings(process.env, 1);
  const taken = await takenPorts(settings);
  const variables = [...new Set(taken.map(({ variable }) => variable))].join(', ');
  return {
    name: 'ports',
    ok: taken.length === 0,
    found: taken.length ? `taken: ${taken.map(({ port }) => port).join(', ')}` : `${portsOf(settings).length} free`,
    fix: `is a platform running already? Else set ${variables}`,
  };
}

function userNamespaces(): Finding {
  const max = Number(readFileSync('/proc/sys/user/max_user_namespaces', 'utf8'));
  const fix = 'sysctl -w user.max_user_namespaces=10000';
  return {
    name: 'user namespaces',
    ok: max > 0,
    found: max > 0 ? 'allowed' : 'not allowed',
    fix,
    optional: true,
  };
}

async function gvisor(): Promise<Finding> {
  const ok = await hasCommand('runsc');
  const fix = 'apt-get install -y runsc, and name it as a runtime of the engine';
  return {
    name: 'gVisor',
    ok,
    found: ok ? 'installed' : 'not installed; templates cannot ask for it',
    fix,
    optional: true,
  };
}
