import { readdir, readFile, readlink } from 'node:fs/promises';
import { dirname } from 'node:path';
import { engineSocket, KUBECONFIG } from '../integration/executor/backend-under-test.ts';

type HostProcess = {
  pid: number;
  parent: number;
  started: string;
  threads: number;
  isZombie: boolean;
  command: string;
  namespace: string;
};

/** Processes of the host at one time, by id. */
export type ProcessTable = ReadonlyMap<number, HostProcess>;

const KERNEL = 2;
const INIT = 1;
const MACHINES_OWN = '/var/run/docker.sock';
const SHIM = 'containerd-shim';
const SANDBOX_OF_GVISOR = 'runsc';

/** Words in the command lines of what runs instances for the tests: the engine, its shims, or a node of a cluster. */
const RUNTIME: readonly string[] = KUBECONFIG
  ? ['/cluster/', '/run/drydock-cluster']
  : engineSocket() === MACHINES_OWN
    ? ['dockerd', 'containerd']
    : [`${dirname(engineSocket())}/`];

export async function readProcesses(): Promise<ProcessTable> {
  const ids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name));
  const read = await Promise.all(ids.map((id) => readProcess(Number(id)).catch(orEnded)));
  return new Map(read.filter((each) => each !== undefined).map((each) => [each.pid, each]));
}

async function readProcess(pid: number): Promise<HostProcess | undefined> {
  const [stat, command, namespace] = await Promise.all([
    readFile(`/proc/${pid}/stat`, 'utf8'),
    readFile(`/proc/${pid}/cmdline`, 'utf8'),
    readlink(`/proc/${pid}/ns/pid`),
  ]);
  // The name before it may have any character.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const parent = Number(fields[1]);
  if (pid === KERNEL || (parent === KERNEL && command === '')) return undefined;
  return {
    pid,
    parent,
    started: fields[19]!,
    threads: Number(fields[17]),
    isZombie: fields[0] === 'Z',
    namespace,
    command: command.replaceAll('\0', ' '),
  };
}

type Own = {
  own: HostProcess[];
  /** Of these, what was not there before. */
  newOwn: string[];
  /** How many others were not there before. */
  newOthers: number;
};

/**
 * Processes that came from this test or may have left a sandbox: those below it, below what runs instances and below the kernel, and
 * those without a parent in another PID namespace. All others are someone else's.
 */
export function ownOf(now: ProcessTable, before: ProcessTable): Own {
  const isNew = ({ pid, started }: HostProcess) => before.get(pid)?.started !== started;
  const isOwn = (start: HostProcess): boolean => {
    for (let each: HostProcess | undefined = start; each; each = now.get(each.parent)) {
      const { pid, parent, command, namespace } = each;
      if (pid === process.pid || pid === process.ppid) return true;
      if (RUNTIME.some((word) => command.includes(word))) return true;
      if (parent === KERNEL) return true;
      if (parent === INIT) return namespace !== now.get(process.pid)!.namespace && !command.includes(SHIM);
    }
    return false;
  };
  // gVisor runs programs in processes without a command line; it keeps those for the next ones, and they share its descriptors.
  const isOfGvisor = ({ command, isZombie, parent }: HostProcess): boolean => {
    if (command !== '' || isZombie) return false;
    for (let each = now.get(parent); each; each = now.get(each.parent))
      if (each.command.includes(SANDBOX_OF_GVISOR)) return true;
    return false;
  };
  const all = [...now.values()];
  const own = all.filter((each) => isOwn(each) && !isOfGvisor(each));
  const newOwn = own.filter(isNew).map(({ pid, command }) => `${pid} ${command.slice(0, 100)}`);
  return { own, newOwn, newOthers: all.filter(isNew).length - newOwn.length };
}

export async function descriptorsOf(processes: readonly HostProcess[]): Promise<number> {
  const counts = processes.map(async ({ pid }) => (await readdir(`/proc/${pid}/fd`).catch(orEnded))?.length ?? 0);
  return (await Promise.all(counts)).reduce((total, each) => total + each, 0);
}

/** A process may end while it is read, and one that ends shows no namespaces. */
function orEnded(error: NodeJS.ErrnoException): undefined {
  if (!['ENOENT', 'ESRCH', 'EACCES'].includes(error.code ?? '')) throw error;
}
