import { readFile, statfs } from 'node:fs/promises';
import { dirname } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';
import { engineSocket, KUBECONFIG } from '../integration/executor/backend-under-test.ts';
import { descriptorsOf, ownOf, type ProcessTable, readProcesses } from './host-processes.ts';

const MiB = 1024 * 1024;
const SETTLE_MS = 60_000;
const POLL_MS = 500;

/** What is measured of the host, and by how much it may have grown afterwards: executors and runtimes keep a few things themselves. */
export const TOLERANCES = {
  'memory in use, MiB': 256,
  'disk in use, MiB': 256,
  processes: 8,
  threads: 64,
  descriptors: 256,
  mounts: 2,
};

export type Tolerances = typeof TOLERANCES;
type Quantity = keyof Tolerances;
export const QUANTITIES = Object.keys(TOLERANCES) as Quantity[];
/** What is known of the whole host only. While others start programs there, it tells nothing. */
const OF_ALL: readonly Quantity[] = ['memory in use, MiB', 'disk in use, MiB'];
/** Processes that others may have started meanwhile for these to be judged. */
const QUIET = 25;

export type Reading = Record<Quantity, number>;
export type Before = { reading: Reading; processes: ProcessTable; settings: Record<string, string> };

/** Settings of the host that no program changes. */
const SETTINGS = [
  'kernel/core_pattern',
  'kernel/hostname',
  'kernel/modprobe',
  'kernel/pid_max',
  'kernel/random/boot_id',
  'kernel/sysrq',
  'vm/overcommit_memory',
];

/** Measures what a hostile program could take of the host, or leave there. */
export async function readHost(): Promise<Before> {
  const processes = await readProcesses();
  return { processes, settings: await readSettings(), reading: (await measure(processes, processes)).reading };
}

/** Measures until there is no more of anything than before, but for the tolerance, or a minute is over. */
export async function settledSince(before: Before, tolerances: Tolerances) {
  const started = performance.now();
  for (;;) {
    const { reading, newOthers, newOwn } = await measure(await readProcesses(), before.processes);
    const judged = QUANTITIES.filter((name) => newOthers <= QUIET || !OF_ALL.includes(name));
    const grown = judged.filter((name) => reading[name] - before.reading[name] > tolerances[name]);
    if (grown.length === 0 || performance.now() - started > SETTLE_MS)
      return { after: reading, grown, judged, newOwn, settings: await readSettings() };
    await wait(POLL_MS);
  }
}

async function measure(now: ProcessTable, before: ProcessTable) {
  const { own, newOwn, newOthers } = ownOf(now, before);
  const [memory, disk, descriptors, mounts] = await Promise.all([
    memoryInUse(),
    statfs('/var/lib'),
    descriptorsOf(own),
    ownMounts(),
  ]);
  const reading = {
    'memory in use, MiB': Math.round(memory / MiB),
    'disk in use, MiB': Math.round(((disk.blocks - disk.bfree) * disk.bsize) / MiB),
    processes: own.length,
    threads: own.reduce((total, { threads }) => total + threads, 0),
    descriptors,
    mounts,
  };
  return { reading, newOthers, newOwn };
}

async function memoryInUse(): Promise<number> {
  const values = new Map((await lines('/proc/meminfo')).map((line) => line.split(/:\s+/) as [string, string]));
  const bytes = (name: string) => Number.parseInt(values.get(name)!, 10) * 1024;
  return bytes('MemTotal') - bytes('MemAvailable');
}

/** Mounts of the host, without those of other engines. */
async function ownMounts(): Promise<number> {
  const points = (await lines('/proc/self/mountinfo')).map((line) => line.split(' ')[4]!);
  const isOthers = (point: string) => /\/(engine|docker|cluster)\//.test(point) && !point.startsWith(RUNTIME_DIRECTORY);
  return points.filter((point) => !isOthers(point)).length;
}
const RUNTIME_DIRECTORY = KUBECONFIG ? dirname(dirname(KUBECONFIG)) : dirname(dirname(engineSocket()));

async function readSettings(): Promise<Record<string, string>> {
  const read = async (name: string) => [name, (await readFile(`/proc/sys/${name}`, 'utf8').catch(orAbsent)).trim()];
  const minutes = Math.round((Date.now() - performance.now() - performance.timeOrigin) / 60_000);
  return {
    ...Object.fromEntries(await Promise.all(SETTINGS.map(read))),
    'minutes by which the clock was set': minutes,
  };
}

/** Not every kernel has every setting. */
function orAbsent(error: NodeJS.ErrnoException): string {
  if (error.code === 'ENOENT') return 'absent';
  throw error;
}

const lines = async (path: string) => (await readFile(path, 'utf8')).trimEnd().split('\n');
