import { access, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { AGENT_PROCESSES } from './container.ts';

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** A container's control group on this host. Writing its files takes 0.02 ms where the engine's own update takes 10. */
export type ControlGroup = {
  setLimits(limits: SandboxLimits): Promise<void>;
  resetPeakMemory(): Promise<void>;
};

/** The control group of a process, of either version; nothing where this host's files cannot be reached. */
export async function openControlGroup(pid: number): Promise<ControlGroup | undefined> {
  const lines = (await readFile(`/proc/${pid}/cgroup`, 'utf8')).trim().split('\n');
  const paths = new Map<string, string>();
  for (const line of lines) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  const memory = paths.get('memory');
  const group = memory === undefined ? version2(join(ROOT, paths.get('') ?? '')) : version1(paths);
  return group.reachable().then(
    () => group,
    () => undefined,
  );
}

type Reachable = ControlGroup & { reachable(): Promise<void> };

function version1(paths: Map<string, string>): Reachable {
  const file = (controller: string, name: string) => join(ROOT, controller, paths.get(controller) ?? '', name);
  const memory = (name: string) => file('memory', name);
  let current = 0;
  return {
    reachable: () => access(memory('memory.limit_in_bytes')),
    async setLimits({ memoryBytes, processes, cpus }) {
      // The limit may never be above the limit with swap, so which goes first depends on the direction.
      current ||= Number(await readFile(memory('memory.limit_in_bytes'), 'utf8'));
      const order = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
      for (const name of memoryBytes > current ? order.reverse() : order) await writeFile(memory(name), String(memoryBytes));
      current = memoryBytes;
      await writeFile(file('pids', 'pids.max'), String(processes + AGENT_PROCESSES));
      await writeFile(file('cpu', 'cpu.cfs_quota_us'), String(Math.round(cpus * PERIOD_US)));
    },
    resetPeakMemory: () => writeFile(memory('memory.max_usage_in_bytes'), '0'),
  };
}

function version2(directory: string): Reachable {
  const write = (name: string, value: string) => writeFile(join(directory, name), value);
  return {
    reachable: () => access(join(directory, 'memory.max')),
    async setLimits({ memoryBytes, processes, cpus }) {
      await write('memory.max', String(memoryBytes));
      await write('pids.max', String(processes + AGENT_PROCESSES));
      await write('cpu.max', `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`);
    },
    // Linux before 6.12 cannot; the peak then is that of the whole sandbox.
    resetPeakMemory: () => write('memory.peak', '0').catch(() => {}),
  };
}
