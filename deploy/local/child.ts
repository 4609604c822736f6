import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { execa } from 'execa';

const STOP_MS = 15_000;
const POLL_MS = 20;

export type ChildOptions = {
  /** Also the name of its pid file. */
  name: string;
  runDirectory: string;
  command: string;
  args: string[];
  environment?: Record<string, string>;
  /** Every line that it prints. */
  onLine?: (line: string) => void;
  /** It ended though nobody asked it to. */
  onExit?: (reason: string) => void;
};

export type Child = AsyncDisposable & {
  pid: number;
  /** Sends a signal and waits for the end: `SIGTERM`, and after 15 s `SIGKILL`, unless told otherwise. */
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/**
 * Starts a process in a group of its own, so that Ctrl-C reaches us alone and things end in order. One that an earlier run
 * left behind under this name is ended first.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, runDirectory, command, args, environment = {} } = options;
  await mkdir(runDirectory, { recursive: true });
  const pidFile = join(runDirectory, `${name}.pid`);
  await endLeftover(pidFile, command);

  const running = execa(command, args, {
    env: environment,
    detached: true,
    stdin: 'ignore',
    all: true,
    buffer: false,
    reject: false,
    cleanup: true,
  });
  if (running.pid === undefined) throw new Error(`${command} could not be started: ${(await running).message}`);
  const { pid } = running;
  await writeFile(pidFile, String(pid));
  let stopping = false;
  const lines = (async () => {
    for await (const line of running.iterable({ from: 'all' })) options.onLine?.(line);
  })();
  const ended = running.then(async ({ exitCode, signal }) => {
    await lines.catch(() => {});
    await rm(pidFile, { force: true });
    if (!stopping) options.onExit?.(signal ?? `exit code ${exitCode}`);
  });

  const stop = async (signal: NodeJS.Signals = 'SIGTERM') => {
    stopping = true;
    running.kill(signal);
    const force = setTimeout(() => running.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(force);
  };
  return { pid, stop, [Symbol.asyncDispose]: () => stop() };
}

async function endLeftover(pidFile: string, command: string): Promise<void> {
  const pid = Number(await readFile(pidFile, 'utf8').catch(() => ''));
  // A process id may have gone to somebody else since.
  const name = command.split('/').at(-1) ?? command;
  while (pid && (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).includes(name)) {
    process.kill(pid, 'SIGTERM');
    await pause(POLL_MS);
  }
  await rm(pidFile, { force: true });
}

/** Waits until something holds, asking again and again: for what tells nobody when it is ready. */
export async function until(what: string, timeoutMs: number, holds: () => Promise<boolean>): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what} was not ready within ${timeoutMs / 1000} s`);
    await pause(POLL_MS);
  }
}
