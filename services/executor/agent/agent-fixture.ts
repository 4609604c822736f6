import { mkdtemp, readFile, rm } from 'node:fs/promises';
import type { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { execa } from 'execa';
import type { Backend } from '../backends/backend.ts';
import { listen } from '../backends/unix-socket.ts';
import { openLink } from './link.ts';
import type { StreamLimits } from './stream-limits.ts';

const AGENT = join(import.meta.dirname, '../../../.build/bin/drydock-agent');
const NAMESPACES = ['--pid', '--mount', '--ipc', '--fork'];
export const STREAMS: StreamLimits = { processes: 256, inputs: 128, files: 192, watches: 16, tunnels: 128 };
const [USER, OWNER] = ['71001', '71002'];
// A home, and the /proc of the new namespace.
const PREPARE = `set -e
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /home
mkdir /home/user
chown ${USER}:${USER} /home/user
exec "$@"`;

/** Opens a link to an agent, which `dial` makes connect to a socket. */
export async function openTestLink(dial: (socket: string) => void, limits = STREAMS) {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-link-'));
  const sockets = new Set<Socket>();
  const backend: Pick<Backend, 'link'> = {
    async link(_, onStream) {
      const path = join(directory, 'agent.sock');
      const server = await listen(path, (socket) => {
        sockets.add(socket);
        onStream(socket);
      });
      dial(path);
      return server;
    },
  };
  const link = await openLink(directory, 'ins_test', backend, limits);
  await link.connected;
  return {
    ...link,
    /** Breaks the connection. */
    drop() {
      for (const socket of sockets) socket.destroy();
    },
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]();
      for (const socket of sockets) socket.destroy();
      await rm(directory, { recursive: true, force: true });
    },
  };
}

/** A link to a real agent, the first process of new namespaces. Needs root. */
export async function startTestAgent() {
  const agents: ReturnType<typeof run>[] = [];
  const link = await openTestLink((socket) => {
    agents.push(run(socket));
  });
  return {
    ...link,
    async [Symbol.asyncDispose]() {
      await link[Symbol.asyncDispose]();
      await Promise.all(agents.map(stop));
    },
  };
}

const run = (socket: string) =>
  execa('unshare', [...NAMESPACES, 'sh', '-c', PREPARE, 'sh', AGENT, 'serve', socket, USER, OWNER], { reject: false });

/** Ends the first process of the namespaces, and with it all others and `unshare`. */
async function stop(unshare: ReturnType<typeof run>): Promise<void> {
  const children = await readFile(`/proc/${unshare.pid}/task/${unshare.pid}/children`, 'utf8').catch(() => '');
  for (const pid of children.split(' ').filter(Boolean)) process.kill(Number(pid), 'SIGKILL');
  await unshare;
}
