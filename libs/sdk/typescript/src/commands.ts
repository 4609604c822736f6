import { toBytes } from './bytes.ts';
import { CommandHandle, type CommandResult, KILL_MS, type Listeners, signalProcess } from './command-handle.ts';
import { type CallOptions, type Connection, method } from './connection.ts';
import { type Duration, readDuration } from './durations.ts';
import { DrydockError, InvalidArgumentError, NotFoundError, TimeoutError } from './errors.ts';
import { type Process, ProcessServiceDefinition, StartProcessRequest } from './generated/drydock/v1/process.ts';
import { CALL_OPTIONS, newRequestId, type ResourceUsage, refuseOthers, toUsage } from './options.ts';
import type { Offset } from './process-events.ts';
import { startTimer } from './timers.ts';

const START = method(ProcessServiceDefinition, 'startProcess');
const LIST = method(ProcessServiceDefinition, 'listProcesses');

/** A text is run by `/bin/sh -c`; a list is a program with its arguments, and no shell is involved. */
export type Command = string | readonly string[];

export type StartOptions = Listeners & {
  /** Added to the sandbox's own. */
  environment?: Readonly<Record<string, string>>;
  /** Absolute, or relative to the home. Default: the home. */
  workingDirectory?: string;
  /** Given to standard input, which is then closed. To 1 MiB. */
  stdin?: string | Uint8Array;
  /** Keeps standard input open for `handle.stdin`. */
  openStdin?: boolean;
  /**
   * From its start; then the command is killed, whether or not it is read, and its reader gets a TimeoutError. Default: none but the
   * sandbox's lifetime.
   */
  timeout?: Duration | null;
  timeoutMs?: number | null;
  /** Kills the command, whether or not it is read; its reader gets the signal's reason. */
  signal?: AbortSignal;
};

export type RunOptions = StartOptions & {
  /** Throws CommandExitError where the exit code is not 0. */
  check?: boolean;
  /** Answers as soon as the command runs. Its output is read meanwhile, for `wait()` and the callbacks. */
  background?: boolean;
};

export type CommandInfo = {
  id: string;
  pid: number;
  command: string[];
  startTime: Date | undefined;
  running: boolean;
  exitCode: number | null;
  signal: string | null;
  usage: ResourceUsage | undefined;
};

const START_OPTIONS = [
  'environment',
  'workingDirectory',
  'stdin',
  'openStdin',
  'timeout',
  'timeoutMs',
  'signal',
  'onStdout',
  'onStderr',
  'keptBytes',
];

/** Commands of one sandbox. */
export class Commands {
  readonly #connection: Connection;
  readonly #sandboxId: string;

  constructor(connection: Connection, sandboxId: string) {
    this.#connection = connection;
    this.#sandboxId = sandboxId;
  }

  /**
   * Runs a command to its end. A program that fails is a result, unless `check` is set. A command outlives a connection that
   * breaks; one whose client goes away runs on until the sandbox ends.
   * Throws InvalidArgumentError (COMMAND_NOT_FOUND), TimeoutError, CommandExitError, SandboxNotRunningError.
   */
  run(command: Command, options: RunOptions & { background: true }): Promise<CommandHandle>;
  run(command: Command, options?: RunOptions & { background?: false }): Promise<CommandResult>;
  async run(command: Command, options: RunOptions = {}): Promise<CommandResult | CommandHandle> {
    const { check = false, background = false, ...rest } = options;
    if (background && check) throw new InvalidArgumentError('a background command is checked by wait({ check: true })');
    const handle = await this.start(command, rest);
    const ended = handle.wait({ check });
    if (!background) return ended;
    // The caller of wait() hears of a failure.
    ended.catch(() => {});
    return handle;
  }

  /** Starts a command. Iterate over its events, or `wait()`. */
  async start(command: Command, options: StartOptions = {}): Promise<CommandHandle> {
    refuseOthers(options, START_OPTIONS);
    const { environment = {}, workingDirectory = '', stdin = '', openStdin = false } = options;
    const request = StartProcessRequest.create({
      command: typeof command === 'string' ? ['/bin/sh', '-c', command] : [...command],
      environment,
      workingDirectory,
      stdin: typeof stdin === 'string' ? toBytes(stdin) : stdin,
      openStdin,
    });
    return startProcess(this.#connection, this.#sandboxId, request, options);
  }

  /**
   * Joins a command: replays what is kept of its output, to 1 MiB of each stream, or goes on at `offset`. Aborting `signal` ends
   * the reading, not the command. Throws NotFoundError; a reader throws OutputLostError where the offset, or what comes after what
   * it has read, is no longer kept.
   */
  async connect(
    id: string,
    { offset, signal, ...listeners }: Listeners & { offset?: Offset; signal?: AbortSignal } = {},
  ): Promise<CommandHandle> {
    refuseOthers(listeners, ['onStdout', 'onStderr', 'keptBytes']);
    const info = (await this.list({ ...(signal ? { signal } : {}) })).find((each) => each.id === id);
    if (!info) throw new NotFoundError(`the sandbox has no command ${id}`, { reason: 'PROCESS_NOT_FOUND' });
    return new CommandHandle({
      ...listeners,
      connection: this.#connection,
      sandboxId: this.#sandboxId,
      id,
      pid: info.pid,
      offset: { ...(offset ?? { stdout: 0, stderr: 0 }) },
      any: offset === undefined,
      ending: signal ?? new AbortController().signal,
      kills: false,
    });
  }

  /** Commands that run, or ended within the last minute; oldest first. */
  async list(options: CallOptions = {}): Promise<CommandInfo[]> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { sandboxId: this.#sandboxId };
    const { processes } = await this.#connection.unary(LIST, request, options, { repeatable: true });
    return processes.map(toInfo);
  }
}

function toInfo({ id, pid, command, startTime, exited }: Process): CommandInfo {
  return {
    id,
    pid,
    command,
    startTime,
    running: !exited,
    exitCode: exited?.exitCode ?? null,
    signal: exited?.signal || null,
    usage: toUsage(exited?.usage),
  };
}

/** Starts a process so that it outlives its stream, and ends it when its time is over or its signal is aborted. */
export async function startProcess(
  connection: Connection,
  sandboxId: string,
  request: StartProcessRequest,
  options: Pick<StartOptions, 'timeout' | 'timeoutMs' | 'signal'> & Listeners,
): Promise<CommandHandle> {
  const timeoutMs = readDuration(options, 'timeout');
  const { onStdout, onStderr, keptBytes } = options;
  const ending = endingOf(options.signal);
  const message = { ...request, sandboxId, detached: true, requestId: newRequestId() };
  const events = connection.stream(START, message, { signal: ending.stream }, { repeatable: true });
  try {
    const first = await events.next();
    if (first.done || first.value.event?.$case !== 'started') throw new DrydockError('the command did not start');
    const { processId, pid } = first.value.event.value;
    if (ending.signal.aborted) {
      await signalProcess(connection, { sandboxId, processId, signal: 'SIGKILL' }).catch(() => {});
      throw ending.signal.reason;
    }
    ending.started(timeoutMs ?? undefined);
    return new CommandHandle({
      ...(onStdout ? { onStdout } : {}),
      ...(onStderr ? { onStderr } : {}),
      ...(keptBytes === undefined ? {} : { keptBytes }),
      connection,
      sandboxId,
      id: processId,
      pid,
      offset: { stdout: 0, stderr: 0 },
      any: false,
      ending: ending.signal,
      kills: true,
      first: events,
      onEnd: ending.over,
    });
  } catch (error) {
    ending.over();
    await events.return();
    throw error;
  }
}

/**
 * What ends a command: the signal of its caller, or its time once it has `started`. Its stream ends with it, but for one that has
 * not started yet: whether it will is not known, and only one whose id is known can be killed.
 */
function endingOf(given: AbortSignal | undefined) {
  given?.throwIfAborted();
  const [ending, stream] = [new AbortController(), new AbortController()];
  let started = false;
  let clear = () => {};
  const end = (reason: unknown) => {
    clear();
    if (!started) clear = startTimer(KILL_MS, () => stream.abort(reason));
    ending.abort(reason);
    if (started) stream.abort(reason);
  };
  const stop = () => end(given!.reason);
  given?.addEventListener('abort', stop, { once: true });
  return {
    signal: ending.signal,
    stream: stream.signal,
    started(timeoutMs: number | undefined) {
      started = true;
      if (timeoutMs === undefined) return;
      const late = () => end(new TimeoutError(`the command ran longer than ${timeoutMs} ms`));
      // The stream keeps the process alive, as long as there is one.
      clear = startTimer(timeoutMs, late, { unref: true });
    },
    over() {
      clear();
      given?.removeEventListener('abort', stop);
    },
  };
}
