import { mkdir, readdir, readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { execa } from 'execa';
import { lockDirectory } from '#libs/lock-directory.ts';
import { type Child, commandLineOf, send, startChild, until } from '../host/child.ts';
import { StartError } from '../host/start-error.ts';

const READY_MS = 30_000;
const DEFAULT_SOCKET = '/var/run/docker.sock';

export type Engine = AsyncDisposable & {
  socket: string;
  /** We started it, and end it. */
  own: boolean;
  /** Starts one of ours again after it ended by itself. */
  restart(): Promise<void>;
};

/**
 * A Docker engine: the one of `DOCKER_HOST`, the machine's own where one runs, else one of ours with its own data and
 * socket. Ours has no networks: sandboxes have none.
 */
export async function ensureEngine(options: EngineOptions & { dockerHost: string | undefined }): Promise<Engine> {
  const given = options.dockerHost?.replace(/^unix:\/\//, '');
  for (const socket of given ? [given] : [DEFAULT_SOCKET])
    if (await answers(socket)) return { socket, own: false, async restart() {}, async [Symbol.asyncDispose]() {} };
  if (given)
    throw new StartError(`no engine answers at DOCKER_HOST, ${options.dockerHost}`, 'start it, or unset DOCKER_HOST');
  return startEngine(options);
}

export type EngineOptions = {
  dataDirectory: string;
  runDirectory: string;
  onLine?: (line: string) => void;
  onExit?: (reason: string) => void;
  /** Ends the waiting until it is ready. */
  signal?: AbortSignal;
};

/**
 * An engine of our own. Its containers outlive it, so that it may be started again below them. Throws where another process
 * runs one there.
 */
export async function startEngine(options: EngineOptions): Promise<Engine & Pick<Child, 'stop'>> {
  const { runDirectory, dataDirectory } = options;
  const socket = join(runDirectory, 'docker.sock');
  const dataRoot = join(dataDirectory, 'engine');
  const execRoot = join(runDirectory, 'engine');
  await mkdir(runDirectory, { recursive: true });
  await using held = new AsyncDisposableStack();
  held.use(await lockDirectory(execRoot, 'another process, with an engine of its own,'));
  // Only of ours: until the lock is there, what is below may be another's that runs.
  held.defer(async () => {
    await endOrphans(execRoot);
    await unmountBelow(dataRoot);
  });
  const launch = () => launchEngine(options, { socket, dataRoot, execRoot });
  let running = await launch();
  held.defer(() => running.stop());
  const kept = held.move();
  return {
    socket,
    own: true,
    stop: (signal) => running.stop(signal),
    async restart() {
      await running.stop();
      running = await launch();
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}

type EnginePaths = { socket: string; dataRoot: string; execRoot: string };

async function launchEngine(options: EngineOptions, paths: EnginePaths): Promise<Pick<Child, 'stop'>> {
  const { runDirectory } = options;
  const { socket, dataRoot, execRoot } = paths;
  const pidFile = join(runDirectory, 'engine.pid');
  // Of one that was killed; its id may have gone to somebody else, which the engine would take for itself.
  await rm(pidFile, { force: true });
  const child = await startChild({
    name: 'dockerd',
    runDirectory,
    command: 'dockerd',
    args: [
      `--data-root=${dataRoot}`,
      `--exec-root=${execRoot}`,
      `--host=unix://${socket}`,
      `--pidfile=${pidFile}`,
      '--bridge=none',
      '--iptables=false',
      '--ip-masq=false',
      '--live-restore',
      '--log-level=warn',
    ],
    // Killed, it would leave a mount, and containers that the next one does not know.
    killSignal: 'SIGTERM',
    ...(options.onLine ? { onLine: options.onLine } : {}),
    ...(options.onExit ? { onExit: options.onExit } : {}),
  });
  await until(child, 'the Docker engine', READY_MS, () => answers(socket), options.signal).catch(async (error) => {
    await child.stop();
    throw error;
  });
  return child;
}

/** A container that was being made when an earlier engine was killed is known to no engine: its shim goes, and what that holds. */
async function endOrphans(execRoot: string): Promise<void> {
  for (const pid of (await readdir('/proc')).filter((name) => /^\d+$/.test(name))) {
    const [program = '', ...args] = commandLineOf(pid).split('\0');
    if (!program.includes('containerd-shim') || !args.some((arg) => arg.startsWith(`${execRoot}/`))) continue;
    const children = await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8');
    for (const each of [...children.trim().split(' ').filter(Boolean), pid]) send(Number(each), 'SIGKILL');
  }
}

/** An engine that was killed once leaves mounts, its data root over itself among them, which the next one does not take away. */
async function unmountBelow(directory: string): Promise<void> {
  const table = await readFile('/proc/self/mountinfo', 'utf8');
  const points = table.split('\n').map((line) => line.split(' ')[4] ?? '');
  const below = points.filter((point) => point === directory || point.startsWith(`${directory}/`));
  for (const point of below.reverse()) await execa('umount', [point]);
}

export async function answers(socket: string): Promise<boolean> {
  return new Docker({ socketPath: socket, timeout: 2_000 }).ping().then(
    () => true,
    () => false,
  );
}

/** Removes what an executor left on an engine. */
export async function removeContainers(socket: string, executorIds: string[]): Promise<void> {
  const docker = new Docker({ socketPath: socket });
  const label = executorIds.map((id) => `drydock.executor=${id}`);
  const lists = await Promise.all(
    label.map((each) =>
      docker.listContainers({
        all: true,
        filters: JSON.stringify({ label: [each] }),
      }),
    ),
  );
  await Promise.all(lists.flat().map(({ Id }) => docker.getContainer(Id).remove({ force: true, v: true })));
}
