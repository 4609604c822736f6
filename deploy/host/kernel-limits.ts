import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

/** What all sandboxes of a host share, and one tenant could use up for the others where there is little of it. */
const LIMITS: Record<string, number> = {
  'kernel.pid_max': 4_194_304,
  'fs.inotify.max_user_instances': 65_536,
  'fs.inotify.max_user_watches': 4_194_304,
};

/**
 * Raises the host's limits that are lower than sandboxes may need, which lasts until the host starts again, and answers with
 * those raised, as `name=value`. Only root may; else nothing is done, and the doctor says what to do.
 */
export async function raiseKernelLimits(): Promise<string[]> {
  if (process.getuid?.() !== 0) return [];
  const raised: string[] = [];
  for (const [name, wanted] of await lowLimits()) {
    try {
      await writeFile(fileOf(name), String(wanted));
      raised.push(`${name}=${wanted}`);
    } catch (error) {
      // In a container /proc/sys is read-only, and the host is somebody else's.
      if (!['EROFS', 'EACCES', 'EPERM'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    }
  }
  return raised;
}

/** Those of the host that are lower than sandboxes may need. */
export async function lowLimits(): Promise<[name: string, wanted: number, found: number][]> {
  const all = await Promise.all(
    Object.entries(LIMITS).map(async ([name, wanted]): Promise<[string, number, number]> => {
      return [name, wanted, Number(await readFile(fileOf(name), 'utf8'))];
    }),
  );
  return all.filter(([, wanted, found]) => found < wanted);
}

function fileOf(name: string): string {
  return join('/proc/sys', ...name.split('.'));
}
