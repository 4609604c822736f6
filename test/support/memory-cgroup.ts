import { existsSync } from 'node:fs';
import { mkdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

const VERSION_1 = {
  root: '/sys/fs/cgroup/memory',
  limit: 'memory.limit_in_bytes',
  peak: 'memory.max_usage_in_bytes',
};
const VERSION_2 = { root: '/sys/fs/cgroup', limit: 'memory.max', peak: 'memory.peak' };

export type MemoryCgroup = AsyncDisposable & {
  /** A command that executes its further arguments inside. */
  enter: readonly string[];
  /** The most bytes that the process had since the last reset. */
  peakBytes(): Promise<number>;
  /** Version 2 knows it since Linux 6.12 only; before, the peak is that of the whole life. */
  resetPeak(): Promise<void>;
};

/** Makes a memory control group, of either version. Needs root. Disposing removes it, when what ran in it has ended. */
export async function createMemoryCgroup(name: string, bytes: number): Promise<MemoryCgroup> {
  const { root, limit, peak } = existsSync(VERSION_1.root) ? VERSION_1 : VERSION_2;
  const group = join(root, name);
  await mkdir(group);
  await writeFile(join(group, limit), String(bytes));
  return {
    enter: ['sh', '-c', 'echo $$ >"$0" && exec "$@"', join(group, 'cgroup.procs')],
    peakBytes: async () => Number(await readFile(join(group, peak), 'utf8')),
    resetPeak: () => writeFile(join(group, peak), '0').catch(ignoreReadOnly),
    [Symbol.asyncDispose]: () => rmdir(group),
  };
}

function ignoreReadOnly(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EACCES' && error.code !== 'EINVAL') throw error;
}
