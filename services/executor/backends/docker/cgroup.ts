import { readFileSync, writeFileSync } from 'node:fs';
import { access, open, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import type { PeakMemory } from '../backend.ts';
import { AGENT_PROCESSES } from './container.ts';

const ROOT = '/sys/fs/cgroup';
const PERIOD_US = 100_000;

/** A container's control group on this host. Writing its files takes 0.02 ms; the engine's own update takes 10 ms. */
export type ControlGroup = {
  setLimits(limits: SandboxLimits): Promise<void>;
  /** Undefined if the kernel cannot. */
  measurePeak(): Promise<PeakMemory | undefined>;
};

/** The control group of a process, of either version; undefined if its files are not on this host. */
export async function openControlGroup(pid: number): Promise<ControlGroup | undefined> {
  try {
    const paths = parsePaths(await readFile(`/proc/${pid}/cgroup`, 'utf8'));
    const isVersion1 = paths.has('memory');
    const directory = isVersion1 ? join(ROOT, 'memory', paths.get('memory')!) : join(ROOT, paths.get('') ?? '');
    await access(join(directory, isVersion1 ? 'memory.limit_in_bytes' : 'memory.max'));
    return isVersion1 ? version1(paths) : version2(directory);
  } catch (error) {
    // Also if the process has ended, or the id means another process because this one runs in a container itself.
    if ((error as NodeJS.ErrnoException).code) return undefined;
    throw error;
  }
}

/** Paths by controller from `/proc/<pid>/cgroup`; version 2 has the controller ''. */
function parsePaths(text: string): Map<string, string> {
  const paths = new Map<string, string>();
  for (const line of text.trim().split('\n')) {
    const [, controllers = '', path = ''] = /^\d+:([^:]*):(.*)$/.exec(line) ?? [];
    for (const controller of controllers.split(',')) paths.set(controller, path);
  }
  return paths;
}

function version1(paths: Map<string, string>): ControlGroup {
  const file = (controller: string, name: string) => join(ROOT, controller, paths.get(controller) ?? '', name);
  const memory = (name: string) => file('memory', name);
  return {
    async setLimits({ memoryBytes, processes, cpus }) {
      // The limit must never exceed the limit with swap, so the order depends on the direction.
      const current = Number(await readFile(memory('memory.limit_in_bytes'), 'utf8'));
      const order = ['memory.limit_in_bytes', 'memory.memsw.limit_in_bytes'];
      if (memoryBytes > current) order.reverse();
      for (const name of order) await writeFile(memory(name), String(memoryBytes));
      await writeFile(file('pids', 'pids.max'), String(processes + AGENT_PROCESSES));
      await writeFile(file('cpu', 'cpu.cfs_quota_us'), String(Math.round(cpus * PERIOD_US)));
    },
    async measurePeak() {
      const peak = memory('memory.max_usage_in_bytes');
      // Synchronous: the kernel answers sooner than a thread of the pool would start.
      const pageCache = () => pageCacheOf(readFileSync(memory('memory.stat'), 'utf8'), 'total_cache', 'total_shmem');
      writeFileSync(peak, '0');
      const read = withoutEarlier(pageCache, async () => readFileSync(peak, 'utf8'));
      return { read, async [Symbol.asyncDispose]() {} };
    },
  };
}

function version2(directory: string): ControlGroup {
  const write = (name: string, value: string) => writeFile(join(directory, name), value);
  return {
    async setLimits({ memoryBytes, processes, cpus }) {
      await write('memory.max', String(memoryBytes));
      await write('pids.max', String(processes + AGENT_PROCESSES));
      await write('cpu.max', `${Math.round(cpus * PERIOD_US)} ${PERIOD_US}`);
    },
    async measurePeak() {
      // Since Linux 6.12 a write resets the peak for readers of the same open file alone.
      const file = await open(join(directory, 'memory.peak'), 'r+').catch(() => undefined);
      if (!file) return undefined;
      const pageCache = () => pageCacheOf(readFileSync(join(directory, 'memory.stat'), 'utf8'), 'file', 'shmem');
      try {
        await file.write('0', 0);
        const read = withoutEarlier(pageCache, async () => {
          const { bytesRead, buffer } = await file.read(Buffer.alloc(32), 0, 32, 0);
          return buffer.toString('latin1', 0, bytesRead);
        });
        return { read, [Symbol.asyncDispose]: () => file.close() };
      } catch {
        await file.close();
        return undefined;
      }
    },
  };
}

/**
 * The peak without the files that were in the page cache before: what earlier programs read stays charged to the group. Part of it
 * may be dropped meanwhile, so that what is left at the end counts. Undefined if the control group was removed.
 */
function withoutEarlier(pageCache: () => number, peak: () => Promise<string>): () => Promise<number | undefined> {
  const before = pageCache();
  return async () => {
    try {
      return Number(await peak()) - Math.min(before, pageCache());
    } catch {
      return undefined;
    }
  };
}

/** Bytes of files in the page cache; those of file systems in memory are the program's own, and no cache. */
export function pageCacheOf(stat: string, cache: string, shared: string): number {
  const lines = `\n${stat}`;
  return Math.max(0, fieldOf(lines, cache) - fieldOf(lines, shared));
}

/** 0 where there is none. Dozens of fields are not worth parsing for two. */
function fieldOf(lines: string, name: string): number {
  const at = lines.indexOf(`\n${name} `);
  return at < 0 ? 0 : Number.parseInt(lines.slice(at + name.length + 2), 10);
}
