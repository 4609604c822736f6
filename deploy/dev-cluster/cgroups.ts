import { existsSync } from 'node:fs';
import { mkdir, readdir, readFile, rmdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';

/** The group of every pod, in each hierarchy. */
export const CGROUP = '/drydock-cluster';

const REMOVE_MS = 15_000;
const POLL_MS = 50;
/** Those that a kubelet asks for under version 2. */
const CONTROLLERS = ['cpu', 'cpuset', 'memory', 'pids', 'hugetlb', 'io'];

/** A kubelet makes groups below its root, never the root itself. */
export async function makeCgroups(): Promise<void> {
  for (const { directory, version, controllers } of await hierarchies()) {
    if (version === 2) await makeUnified(directory);
    else await makeGroup(directory, controllers);
  }
}

/** Removes the groups once nothing runs in them any more; throws where something still does after 15 s. */
export async function removeCgroups(): Promise<void> {
  const end = Date.now() + REMOVE_MS;
  for (const { directory } of await hierarchies())
    while (!(await removeTree(join(directory, CGROUP)))) {
      if (Date.now() > end) throw new Error(`something still runs in ${join(directory, CGROUP)}`);
      await pause(POLL_MS);
    }
}

/** The groups of a cluster that are there. */
export async function findCgroups(): Promise<string[]> {
  return (await hierarchies()).map(({ directory }) => join(directory, CGROUP)).filter((group) => existsSync(group));
}

type Hierarchy = { directory: string; version: 1 | 2; controllers: string[] };

async function hierarchies(): Promise<Hierarchy[]> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  return table.split('\n').flatMap((line) => {
    const [mount = '', rest = ''] = line.split(' - ');
    const [type, , options = ''] = rest.split(' ');
    if (type !== 'cgroup' && type !== 'cgroup2') return [];
    return [{ directory: mount.split(' ')[4]!, version: type === 'cgroup' ? 1 : 2, controllers: options.split(',') }];
  });
}

async function makeUnified(directory: string): Promise<void> {
  const available = (await readFile(join(directory, 'cgroup.controllers'), 'utf8')).trim().split(' ');
  const wanted = available.filter((controller) => CONTROLLERS.includes(controller));
  // Beside hierarchies of version 1 it has none to give, and who runs containers makes what it needs there.
  if (wanted.length === 0) return;
  await writeFile(join(directory, 'cgroup.subtree_control'), wanted.map((controller) => `+${controller}`).join(' '));
  await mkdir(join(directory, CGROUP), { recursive: true });
}

async function makeGroup(directory: string, controllers: string[]): Promise<void> {
  const group = join(directory, CGROUP);
  await mkdir(group, { recursive: true });
  if (!controllers.includes('cpuset')) return;
  // Nothing may enter a group without either, and a new one has neither.
  for (const file of ['cpuset.cpus', 'cpuset.mems'])
    await writeFile(join(group, file), await readFile(join(directory, file)));
}

/** From the deepest group up, the only order the kernel takes; false where one is still in use. */
async function removeTree(group: string): Promise<boolean> {
  try {
    for (const entry of await readdir(group, { withFileTypes: true }))
      if (entry.isDirectory() && !(await removeTree(join(group, entry.name)))) return false;
    await rmdir(group);
    return true;
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return true;
    if (code === 'EBUSY' || code === 'ENOTEMPTY') return false;
    throw error;
  }
}
