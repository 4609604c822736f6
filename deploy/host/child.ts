import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';

const STOP_MS = 15_000;
const POLL_MS = 20;
const LAST_LINES = 20;
const SUFFIX = '.pid';

export type ChildOptions = {
  /** Also the name of its pid file. */
  name: string;
  runDirectory: string;
  command: string;
  args: string[];
  environment?: Record<string, string>;
  /** The user that it runs as. Default: the user of this process. */
  user?: { uid: number; gid: number } | undefined;
  workingDirectory?: string;
  /** Runs it in the mount, network and PID namespaces of this process. */
  namespacesOf?: number;
  /** What asks it to end in good order. Default `SIGTERM`. */
  stopSignal?: NodeJS.Signals;
  /** What ends it at once, with everything that it started. Default `SIGKILL`. */
  killSignal?: NodeJS.Signals;
  /** Every line that it prints. */
  onLine?: (line: string) => void;
  /** It ended though nobody asked it to. */
  onExit?: (reason: string) => void;
};

export type Child = AsyncDisposable & {
  pid: number;
  /** Why it ended though nobody asked it to, and its last words; nothing while it runs. */
  failure(): string | undefined;
  signal(signal: NodeJS.Signals): void;
  /** Sends a signal, by default the one that asks it to end in good order, and after 15 s `SIGKILL`; waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/**
 * Starts a process in a group of its own, so that Ctrl-C reaches us alone and things end in order. One that an earlier run
 * left behind under this name is ended first.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, runDirectory, command, args, namespacesOf, environment = {} } = options;
  const { stopSignal = 'SIGTERM', killSignal = 'SIGKILL' } = options;
  await mkdir(runDirectory, { recursive: true });
  const pidFile = join(runDirectory, `${name}${SUFFIX}`);
  await endLeftover(pidFile);

  const entering = namespacesOf === undefined ? [] : ['nsenter', ...intoNamespacesOf(namespacesOf)];
  const [program, ...programArgs] = [...entering, command, ...args] as [string, ...string[]];
  const running = execa(program, programArgs, {
    env: environment,
    ...options.user,
    ...(options.workingDirectory ? { cwd: options.workingDirectory } : {}),
    detached: true,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    cleanup: true,
  });
  if (running.pid === undefined) throw new Error(`${command} could not be started: ${(await running).message}`);
  const { pid } = running;
  await writeFile(pidFile, [pid, stopSignal, killSignal, command].join('\n'));
  let stopping = false;
  let failure: string | undefined;
  const lastLines: string[] = [];
  const lines = (async () => {
    for await (const line of running.iterable({ from: 'all' })) {
      lastLines.push(line);
      if (lastLines.length > LAST_LINES) lastLines.shift();
      options.onLine?.(line);
    }
  })();
  const ended = running.then(async ({ exitCode, signal }) => {
    await lines.catch(() => {});
    await rm(pidFile, { force: true });
    if (stopping) return;
    const reason = signal ?? `exit code ${exitCode}`;
    failure = [reason, ...lastLines].join('\n');
    options.onExit?.(reason);
  });

  const signal = (signal: NodeJS.Signals) => {
    const entered = namespacesOf === undefined ? undefined : childOf(pid);
    if (entered === undefined) return void running.kill(signal);
    send(entered, signal);
    // It stops along with what it waits for, and would miss that this has ended.
    if (signal !== 'SIGSTOP') send(pid, 'SIGCONT');
  };
  const stop = async (request: NodeJS.Signals = stopSignal) => {
    stopping = true;
    signal(request);
    const force = setTimeout(() => signal('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(force);
  };
  return { pid, failure: () => failure, signal, stop, [Symbol.asyncDispose]: () => stop() };
}

/** What `nsenter` is told to run a command in the namespaces of a process. */
export function intoNamespacesOf(pid: number): string[] {
  return [`--target=${pid}`, '--mount', '--net', '--pid', '--'];
}

/** The first child of a process; undefined if it has none, or has ended. */
export function childOf(pid: number): number | undefined {
  try {
    return Number(readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ')[0]) || undefined;
  } catch {
    return undefined;
  }
}

/** Ends, in good order, what an earlier run that was killed left behind. Nobody else may use the directory meanwhile. */
export async function endLeftovers(runDirectory: string): Promise<void> {
  for (const file of pidFiles(runDirectory)) await endLeftover(file);
}

/** Kills everything that runs, and leaves the rest to the next start. */
export function killChildren(runDirectory: string): void {
  for (const file of pidFiles(runDirectory)) {
    const left = leftoverOf(readFileSync(file, 'utf8'));
    if (left) send(left.pid, left.killSignal);
  }
}

function pidFiles(runDirectory: string): string[] {
  const names = existsSync(runDirectory) ? readdirSync(runDirectory) : [];
  return names.filter((name) => name.endsWith(SUFFIX)).map((name) => join(runDirectory, name));
}

async function endLeftover(pidFile: string): Promise<void> {
  const text = existsSync(pidFile) ? await readFile(pidFile, 'utf8') : '';
  // A pid file of another shape is somebody else's.
  if (!commandOf(text)) return;
  const end = Date.now() + STOP_MS;
  let left = leftoverOf(text);
  // Once: some take a second signal for impatience, and leave in bad order.
  if (left) send(left.pid, left.stopSignal);
  for (; left; left = leftoverOf(text)) {
    if (Date.now() > end) send(left.pid, 'SIGKILL');
    await pause(POLL_MS);
  }
  await rm(pidFile, { force: true });
}

/** Sends a signal, unless the process has ended just now. */
export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

/** The process of a pid file, where it still runs: its id may have gone to somebody else since. */
function leftoverOf(pidFile: string): Leftover | undefined {
  const [pid = '', stopSignal, killSignal] = pidFile.split('\n');
  const name = commandOf(pidFile)?.split('/').at(-1);
  if (!name || !commandLineOf(pid).includes(name)) return undefined;
  return { pid: Number(pid), stopSignal: stopSignal as NodeJS.Signals, killSignal: killSignal as NodeJS.Signals };
}

type Leftover = { pid: number; stopSignal: NodeJS.Signals; killSignal: NodeJS.Signals };

const commandOf = (pidFile: string) => pidFile.split('\n')[3];

/** Empty where there is no such process, or it ends while it is looked at, or has ended and nobody has noticed. */
export function commandLineOf(pid: string): string {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8');
  } catch (error) {
    if (!['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) throw error;
    return '';
  }
}

/** Waits until a child is ready, asking again and again, since it tells nobody. Throws where it ends instead, or `signal` does. */
export async function until(
  child: Pick<Child, 'failure'>,
  what: string,
  timeoutMs: number,
  isReady: () => Promise<boolean>,
  signal?: AbortSignal,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isReady())) {
    const failure = child.failure();
    if (failure) throw new Error(`${what} ended by itself: ${failure}`);
    signal?.throwIfAborted();
    if (Date.now() > end) throw new Error(`${what} was not ready within ${timeoutMs / 1000} s`);
    await pause(POLL_MS);
  }
}
