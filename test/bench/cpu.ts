import { existsSync } from 'node:fs';
import { readdir, readFile } from 'node:fs/promises';
import type Docker from 'dockerode';
import { every } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { EXECUTOR_LABEL } from '../../services/executor/backends/docker/container.ts';

/** Of the kernel's clock, in which it tells processor time. */
const TICK_MS = 10;
const ENGINE = ['dockerd', 'containerd'];
const LOOK_MS = 1_000;

/** Milliseconds of processor time by what used it. */
export type CpuTimes = Map<string, number>;

type Process = { parent: number; name: string; ownMs: number; endedChildrenMs: number };

export type CpuMeter = AsyncDisposable & {
  /**
   * Processor time so far: of each process of the platform, with what it has started; of `engine`, which is dockerd, containerd
   * and their shims, for whomever they work; of the `agent`s and of all else in the sandboxes, `cells`; and of `client`, this process.
   */
  read(): Promise<CpuTimes>;
};

/** Begins to watch the sandboxes of a platform: of one that ends, what it used in its last second is not counted. */
export function startCpuMeter(platform: Platform, docker: Docker): CpuMeter {
  const sandboxes = new Map<number, { agent: number; all: number }>();
  const look = async () => {
    for (const pid of await sandboxesOf(platform, docker)) {
      const agent = (await readProcesses([String(pid)])).get(pid)?.ownMs;
      const all = await cgroupCpuMs(pid);
      if (agent !== undefined && all > 0) sandboxes.set(pid, { agent, all });
    }
  };
  const watch = every(LOOK_MS, createLogger('bench'), look);
  return {
    async read() {
      const { user, system } = process.cpuUsage();
      await look();
      const processes = await readProcesses();
      const times: CpuTimes = new Map([['client', (user + system) / 1000]]);
      for (const [name, { pid }] of platform.processes) times.set(name, withDescendants(processes, pid));
      const ofEngine = [...processes.values()].filter(({ name }) => ENGINE.some((each) => name.startsWith(each)));
      times.set('engine', sum(ofEngine.map(({ ownMs }) => ownMs)));
      const ofSandboxes = [...sandboxes.values()];
      times.set('agent', sum(ofSandboxes.map(({ agent }) => agent)));
      return times.set('cells', sum(ofSandboxes.map(({ all, agent }) => all - agent)));
    },
    [Symbol.asyncDispose]: () => watch[Symbol.asyncDispose](),
  };
}

/** Processor time that this machine has spent so far, but for what it idled and waited, in milliseconds. */
export async function machineCpuMs(): Promise<number> {
  const [line] = (await readFile('/proc/stat', 'utf8')).split('\n');
  const [user, nice, system, , , interrupts, softInterrupts] = line!.split(/\s+/).slice(1).map(Number);
  return (user! + nice! + system! + interrupts! + softInterrupts!) * TICK_MS;
}

const sum = (values: number[]) => values.reduce((total, each) => total + each, 0);

/** Milliseconds of processor time that the control group of a process has used; 0 once the process has ended. */
export async function cgroupCpuMs(pid: number): Promise<number> {
  const file = await cgroupFile(pid, 'cpuacct', 'cpuacct.usage', 'cpu.stat');
  const text = file ? await readFile(file, 'utf8').catch(orEnded) : undefined;
  if (text === undefined) return 0;
  const microseconds = /^usage_usec (\d+)/m.exec(text)?.[1];
  return microseconds ? Number(microseconds) / 1000 : Number(text) / 1e6;
}

/** A file of the control group of a process, by the version of control groups here. */
export async function cgroupFile(
  pid: number,
  controller: string,
  version1: string,
  version2: string,
): Promise<string | undefined> {
  const text = await readFile(`/proc/${pid}/cgroup`, 'utf8').catch(orEnded);
  const groups = (text ?? '').split('\n').map((line) => /^\d+:([^:]*):(.*)$/.exec(line));
  const path = (name: string) => groups.find((group) => group?.[1]?.split(',').includes(name))?.[2];
  const old = path(controller);
  if (old !== undefined && existsSync(`/sys/fs/cgroup/${controller}`))
    return `/sys/fs/cgroup/${controller}${old}/${version1}`;
  const unified = path('');
  return unified === undefined ? undefined : `/sys/fs/cgroup${unified}/${version2}`;
}

/** First processes of the sandboxes of this platform's executors. */
async function sandboxesOf({ executors }: Platform, docker: Docker): Promise<number[]> {
  const pids: number[] = [];
  for (const { id } of executors) {
    const label = [`${EXECUTOR_LABEL}=${id}`];
    for (const { Id } of await docker.listContainers({ filters: JSON.stringify({ label }) })) {
      const found = await docker.getContainer(Id).inspect().catch(orGone);
      if (found?.State.Pid) pids.push(found.State.Pid);
    }
  }
  return pids;
}

async function readProcesses(pids?: string[]): Promise<Map<number, Process>> {
  const all = pids ?? (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const processes = new Map<number, Process>();
  for (const pid of all) {
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(orEnded);
    if (stat === undefined) continue;
    // The name may have any character.
    const end = stat.lastIndexOf(')');
    const fields = stat.slice(end + 2).split(' ');
    const ms = (first: number) => (Number(fields[first]) + Number(fields[first + 1])) * TICK_MS;
    processes.set(Number(pid), {
      parent: Number(fields[1]),
      name: stat.slice(stat.indexOf('(') + 1, end),
      ownMs: ms(11),
      endedChildrenMs: ms(13),
    });
  }
  return processes;
}

function withDescendants(processes: Map<number, Process>, root: number): number {
  const own = processes.get(root);
  if (!own) return 0;
  const children = [...processes].filter(([, { parent }]) => parent === root);
  return children.reduce((sum, [pid]) => sum + withDescendants(processes, pid), own.ownMs + own.endedChildrenMs);
}

function orEnded(error: NodeJS.ErrnoException): undefined {
  if (!['ENOENT', 'ESRCH', 'ENODEV'].includes(error.code ?? '')) throw error;
}

function orGone(error: { statusCode?: number }): undefined {
  if (error.statusCode !== 404) throw error;
}
