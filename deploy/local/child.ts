import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
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
  /** Whom it runs as; default: whoever starts it. */
  user?: { uid: number; gid: number } | undefined;
  workingDirectory?: string;
  /** What asks it to end in good order. Default `SIGTERM`. */
  stopSignal?: NodeJS.Signals;
  /** Every line that it prints. */
  onLine?: (line: string) => void;
  /** It ended though nobody asked it to. */
  onExit?: (reason: string) => void;
};

export type Child = AsyncDisposable & {
  pid: number;
  /** Why it ended though nobody asked it to, and its last words; nothing while it runs. */
  failure(): string | undefined;
  /** Sends a signal, by default the one that asks it to end in good order, and after 15 s `SIGKILL`; waits for the end. */
  stop(signal?: NodeJS.Signals): Promise<void>;
};

/**
 * Starts a process in a group of its own, so that Ctrl-C reaches us alone and things end in order. One that an earlier run
 * left behind under this name is ended first.
 */
export async function startChild(options: ChildOptions): Promise<Child> {
  const { name, runDirectory, command, args, environment = {}, stopSignal = 'SIGTERM' } = options;
  await mkdir(runDirectory, { recursive: true });
  const pidFile = join(runDirectory, `${name}${SUFFIX}`);
  await endLeftover(pidFile);

  const running = execa(command, args, {
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
  await writeFile(pidFile, [pid, stopSignal, command].join('\n'));
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

  const stop = async (signal: NodeJS.Signals = stopSignal) => {
    stopping = true;
    running.kill(signal);
    const force = setTimeout(() => running.kill('SIGKILL'), STOP_MS);
    await ended;
    clearTimeout(force);
  };
  return { pid, failure: () => failure, stop, [Symbol.asyncDispose]: () => stop() };
}

/** Ends, in good order, what an earlier run that was killed left behind. Nobody else may use the directory meanwhile. */
export async function endLeftovers(runDirectory: string): Promise<void> {
  for (const file of await pidFiles(runDirectory)) await endLeftover(file);
}

/** Kills everything that runs, and leaves the rest to whoever starts next. */
export function killChildren(runDirectory: string): void {
  for (const file of readdirSync(runDirectory).filter((name) => name.endsWith(SUFFIX))) {
    const pid = leftoverOf(readFileSync(join(runDirectory, file), 'utf8'))?.pid;
    if (pid) process.kill(pid, 'SIGKILL');
  }
}

async function pidFiles(runDirectory: string): Promise<string[]> {
  const names = existsSync(runDirectory) ? await readdir(runDirectory) : [];
  return names.filter((name) => name.endsWith(SUFFIX)).map((name) => join(runDirectory, name));
}

async function endLeftover(pidFile: string): Promise<void> {
  const text = await readFile(pidFile, 'utf8').catch(() => '');
  const end = Date.now() + STOP_MS;
  for (let left = leftoverOf(text); left; left = leftoverOf(text)) {
    process.kill(left.pid, Date.now() < end ? left.stopSignal : 'SIGKILL');
    await pause(POLL_MS);
  }
  await rm(pidFile, { force: true });
}

/** The process of a pid file, where it still runs: its id may have gone to somebody else since. */
function leftoverOf(pidFile: string): { pid: number; stopSignal: NodeJS.Signals } | undefined {
  const [pid = '', stopSignal, command] = pidFile.split('\n');
  if (!command || !existsSync(`/proc/${pid}/cmdline`)) return undefined;
  const name = command.split('/').at(-1) ?? command;
  if (!readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(name)) return undefined;
  return { pid: Number(pid), stopSignal: stopSignal as NodeJS.Signals };
}

/** Waits until a child is ready, asking again and again, since it tells nobody. Throws where it ends instead. */
export async function until(
  child: Pick<Child, 'failure'>,
  what: string,
  timeoutMs: number,
  isReady: () => Promise<boolean>,
): Promise<void> {
  const end = Date.now() + timeoutMs;
  while (!(await isReady())) {
    const failure = child.failure();
    if (failure) throw new Error(`${what} ended by itself: ${failure}`);
    if (Date.now() > end) throw new Error(`${what} was not ready within ${timeoutMs / 1000} s`);
    await pause(POLL_MS);
  }
}
