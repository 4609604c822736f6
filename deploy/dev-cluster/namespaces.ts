import { readFileSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { execa } from 'execa';
import { type Child, childOf, commandLineOf, intoNamespacesOf, startChild, until } from '../host/child.ts';
import { GATEWAY, LINK } from './addresses.ts';

const READY_MS = 10_000;
const INOTIFY_INSTANCES = '/proc/sys/fs/inotify/max_user_instances';
/** Every pod takes some, and a kubelet that gets none does not start. */
const MIN_INOTIFY_INSTANCES = 1024;

/**
 * What a kubelet sets where it finds something else. These are the whole machine's, whose programs must not feel it: one that
 * may always have memory never hears that there is none. So what a kubelet finds inside is a file that says so already.
 */
export const KERNEL_SETTINGS = {
  'vm/overcommit_memory': 1,
  'vm/panic_on_oom': 0,
  'kernel/panic': 10,
  'kernel/panic_on_oops': 1,
  'kernel/keys/root_maxkeys': 1_000_000,
  'kernel/keys/root_maxbytes': 25_000_000,
};

/**
 * What is done inside before anything starts. Programs of a node write to fixed places: each of these is empty, in memory
 * and gone with the namespaces, but for the one directory that is kept where it is.
 */
const FURNISH = `
mount -t tmpfs -o mode=755 tmpfs /run
mkdir /run/kept
mount --bind "$1" /run/kept
for place in /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$place"; done
mkdir -p "$1"
mount --move /run/kept "$1"
${Object.entries(KERNEL_SETTINGS)
  .map(
    ([name, value]) => `mkdir -p "$(dirname /run/kernel/${name})"
echo ${value} > /run/kernel/${name}
mount --bind /run/kernel/${name} /proc/sys/${name}`,
  )
  .join('\n')}
ip link set lo up
ip address add ${LINK.node.address}/${LINK.prefixBits} dev ${LINK.node.name}
ip link set ${LINK.node.name} up
# A node answers for the pods' gateway only where it knows a way there other than the pod that asks.
ip route add ${GATEWAY}/32 dev ${LINK.node.name} scope link
echo 1 > /proc/sys/net/ipv4/ip_forward
`;

export type Namespaces = AsyncDisposable & {
  /** The first process inside; whatever is inside ends with it. */
  pid: number;
};

/**
 * Mount, network and PID namespaces with a link to the machine, in which `directory` is the same as outside. Killing
 * their holder, however that happens, ends all that runs in them and takes their mounts and links away.
 */
export async function startNamespaces(options: {
  runDirectory: string;
  /** The program that is the first process inside: it has to reap. */
  init: string;
  directory: string;
  onExit: (reason: string) => void;
  /** Ends the waiting until they are there. */
  signal?: AbortSignal;
}): Promise<Namespaces> {
  const { runDirectory, init, directory, onExit, signal } = options;
  await raiseInotifyInstances();
  const holder = await startChild({
    name: 'namespaces',
    runDirectory,
    command: 'unshare',
    args: ['--mount', '--net', '--pid', '--fork', '--kill-child=KILL', '--mount-proc', init],
    stopSignal: 'SIGKILL',
    onExit,
  });
  try {
    const pid = await firstProcess(holder, init, signal);
    const { machine, node, prefixBits } = LINK;
    await execa('ip', ['link', 'add', machine.name, 'type', 'veth', 'peer', 'name', node.name, 'netns', `${pid}`]);
    await execa('ip', ['address', 'add', `${machine.address}/${prefixBits}`, 'dev', machine.name]);
    await execa('ip', ['link', 'set', machine.name, 'up']);
    await execa('nsenter', [...intoNamespacesOf(pid), 'sh', '-euc', FURNISH, 'sh', directory]);
    return {
      pid,
      async [Symbol.asyncDispose]() {
        await holder.stop();
        await until({ failure: () => undefined }, 'the end of the namespaces', READY_MS, async () => isGone(pid));
      },
    };
  } catch (error) {
    await holder.stop();
    throw error;
  }
}

/** It has the namespaces, and its own `/proc`, once it has become the program that it is to run. */
async function firstProcess(holder: Child, init: string, signal?: AbortSignal): Promise<number> {
  let pid: number | undefined;
  const isThere = async () => {
    pid = childOf(holder.pid);
    return pid !== undefined && commandLineOf(`${pid}`).startsWith(init);
  };
  await until(holder, 'the namespaces', READY_MS, isThere, signal);
  return pid!;
}

/** The kernel lets it go once nothing else is left inside. */
function isGone(pid: number): boolean {
  try {
    return / Z /.test(readFileSync(`/proc/${pid}/stat`, 'utf8'));
  } catch {
    return true;
  }
}

async function raiseInotifyInstances(): Promise<void> {
  const instances = Number(await readFile(INOTIFY_INSTANCES, 'utf8'));
  if (instances < MIN_INOTIFY_INSTANCES) await writeFile(INOTIFY_INSTANCES, `${MIN_INOTIFY_INSTANCES}`);
}
