import { concat, toBytes, toText } from './bytes.ts';
import { type Connection, method } from './connection.ts';
import { ConflictError, DrydockError, NotFoundError } from './errors.ts';
import {
  type ProcessExited,
  ProcessServiceDefinition,
  type SignalProcessRequest,
  type StartProcessResponse,
  WriteProcessInputRequest,
} from './generated/drydock/v1/process.ts';
import { type ResourceUsage, toUsage } from './options.ts';
import { follow, type Offset, type OutputEvent, type ProcessEvent } from './process-events.ts';

const SIGNAL = method(ProcessServiceDefinition, 'signalProcess');
const INPUT = method(ProcessServiceDefinition, 'writeProcessInput');
const RESIZE = method(ProcessServiceDefinition, 'resizeProcess');
/** How long a signal may take, also one to a command that has not started yet. */
export const KILL_MS = 10_000;
/** Bytes that one call takes. */
const MAX_INPUT_BYTES = 512 * 1024;
const DEFAULT_KEPT_BYTES = 16 * 1024 * 1024;

export type CommandResult = {
  stdout: string;
  stderr: string;
  /** Null where a signal ended the program. */
  exitCode: number | null;
  /** The name of that signal, such as `SIGKILL`. */
  signal: string | null;
  /** The exit code is 0. */
  success: boolean;
  durationMs: number;
  usage: ResourceUsage | undefined;
  /** `stdout` or `stderr` is not whole: there was more than `keptBytes`. */
  truncated: boolean;
};

export type CommandEvent = OutputEvent | { type: 'exit'; result: CommandResult };

/** A command exited with another code than 0, or by a signal, and `check` was set. */
export class CommandExitError extends DrydockError {
  override name = 'CommandExitError';
  readonly result: CommandResult;

  constructor(result: CommandResult) {
    const how = result.exitCode === null ? `was ended by ${result.signal}` : `exited with code ${result.exitCode}`;
    super(`the command ${how}: ${result.stderr.trim().slice(-500)}`, { reason: 'COMMAND_EXIT' });
    this.result = result;
  }
}

/**
 * Hear output as it is read. One that throws ends the reading, and its reader gets what it threw; a command that was started here,
 * and not joined, is killed.
 */
export type Listeners = {
  onStdout?: (text: string, event: OutputEvent) => void;
  onStderr?: (text: string, event: OutputEvent) => void;
  /** Bytes of each output that the result keeps, from its start. Default 16 MiB (16,777,216). */
  keptBytes?: number;
};

export type HandleOptions = Listeners & {
  connection: Connection;
  sandboxId: string;
  id: string;
  pid: number;
  offset: Offset;
  any: boolean;
  /** Ends the reading, and with `kills` the command. */
  ending: AbortSignal;
  kills: boolean;
  first?: AsyncIterable<StartProcessResponse>;
  /** Hears when nothing more is read. */
  onEnd?: () => void;
};

/**
 * A command that runs in a sandbox. Either iterate over its events or `wait()` for its end: a program whose output nobody reads
 * waits. It outlives a connection that breaks, and the handle joins it again.
 */
export class CommandHandle implements AsyncIterable<CommandEvent> {
  readonly id: string;
  /** The process id inside of the sandbox. */
  readonly pid: number;
  /** Bytes that were read: where `commands.connect` goes on. */
  readonly offset: Offset;
  /** Standard input of a command that was started with `openStdin`, or of a terminal. */
  readonly stdin: { write(data: string | Uint8Array): Promise<void>; close(): Promise<void> };
  readonly #options: HandleOptions;
  readonly #events: AsyncGenerator<ProcessEvent, void, undefined>;
  readonly #kept: Record<'stdout' | 'stderr', Kept>;
  readonly #killer = () => {
    // Its failure adds nothing to the reason of the end.
    this.#killed = this.kill().then(
      () => {},
      () => {},
    );
  };
  #killed: Promise<void> | undefined;
  #result: CommandResult | undefined;
  #waiting: Promise<CommandResult> | undefined;

  constructor(options: HandleOptions) {
    const { id, pid, offset, connection, sandboxId, ending, any, first, keptBytes = DEFAULT_KEPT_BYTES } = options;
    this.id = id;
    this.pid = pid;
    this.offset = offset;
    this.#options = options;
    this.#kept = { stdout: new Kept(keptBytes), stderr: new Kept(keptBytes) };
    this.#events = this.#read(follow({ connection, sandboxId, processId: id, signal: ending, offset, any }, first));
    // Whether or not somebody reads.
    if (options.kills) ending.addEventListener('abort', this.#killer, { once: true });
    this.stdin = { write: (data) => this.#input(data, false), close: () => this.#input('', true) };
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<CommandEvent, void, undefined> {
    for (;;) {
      const next = await this.#events.next();
      if (next.done) return;
      const event = next.value;
      if (event.type === 'exited') {
        this.#result = this.#resultOf(event.exited);
        // Ends its timer and its stream, though nobody asks for more.
        await this.#events.return();
        return yield { type: 'exit', result: this.#result };
      }
      this.#kept[event.type].add(event.data);
      const listener = event.type === 'stdout' ? this.#options.onStdout : this.#options.onStderr;
      try {
        listener?.(event.text, event);
      } catch (error) {
        if (this.#options.kills) this.#killer();
        await this.#events.return();
        throw error;
      }
      yield event;
    }
  }

  /** Reads to the end. With `check`, throws CommandExitError where the exit code is not 0. */
  async wait({ check = false }: { check?: boolean } = {}): Promise<CommandResult> {
    this.#waiting ??= this.#drain();
    const result = await this.#waiting;
    if (check && !result.success) throw new CommandExitError(result);
    return result;
  }

  /** Sends a signal; SIGKILL ends the command with everything that it started. Tells whether it still ran. */
  async kill(signal = 'SIGKILL'): Promise<boolean> {
    const { connection, sandboxId } = this.#options;
    return signalProcess(connection, { sandboxId, processId: this.id, signal });
  }

  /** Changes the size of its terminal. */
  async resize({ rows, columns }: { rows: number; columns: number }): Promise<void> {
    const { connection, sandboxId } = this.#options;
    const request = { sandboxId, processId: this.id, terminal: { rows, columns } };
    await connection.unary(RESIZE, request, {}, { repeatable: true });
  }

  async *#read(events: AsyncIterable<ProcessEvent>): AsyncGenerator<ProcessEvent, void, undefined> {
    const { ending, onEnd = () => {} } = this.#options;
    try {
      yield* events;
    } finally {
      ending.removeEventListener('abort', this.#killer);
      onEnd();
      await this.#killed;
    }
  }

  async #drain(): Promise<CommandResult> {
    for await (const _ of this);
    if (!this.#result) throw new DrydockError('the events of the command were read elsewhere, and not to their end');
    return this.#result;
  }

  async #input(data: string | Uint8Array, close: boolean): Promise<void> {
    const { connection, sandboxId } = this.#options;
    const bytes = typeof data === 'string' ? toBytes(data) : data;
    for (let at = 0; at < bytes.length || (close && at === 0); at += MAX_INPUT_BYTES) {
      const input = { $case: 'data', value: bytes.subarray(at, at + MAX_INPUT_BYTES) } as const;
      const request = WriteProcessInputRequest.create({ sandboxId, processId: this.id, input, close });
      // Not repeated: what arrived before the connection broke would arrive twice.
      await connection.unary(INPUT, request, { requestTimeout: null }, { repeatable: false });
    }
  }

  #resultOf({ exitCode, signal, usage }: ProcessExited): CommandResult {
    const { stdout, stderr } = this.#kept;
    const used = toUsage(usage);
    return {
      stdout: stdout.text(),
      stderr: stderr.text(),
      exitCode: exitCode ?? null,
      signal: signal || null,
      success: exitCode === 0,
      durationMs: used?.wallTimeMs ?? 0,
      usage: used,
      truncated: stdout.truncated || stderr.truncated,
    };
  }
}

/** Sends a signal, at the latest after 10 s. Tells whether the process still ran. */
export async function signalProcess(connection: Connection, request: SignalProcessRequest): Promise<boolean> {
  const repeatable = request.signal === 'SIGKILL';
  try {
    await connection.unary(SIGNAL, request, { requestTimeoutMs: KILL_MS }, { repeatable });
    return true;
  } catch (error) {
    const ended =
      error instanceof NotFoundError || (error instanceof ConflictError && error.reason === 'PROCESS_ENDED');
    if (!ended) throw error;
    return false;
  }
}

/** The beginning of an output. */
class Kept {
  readonly #pieces: Uint8Array[] = [];
  #room: number;
  truncated = false;

  constructor(bytes: number) {
    this.#room = bytes;
  }

  add(data: Uint8Array): void {
    if (data.length > this.#room) this.truncated = true;
    const piece = data.subarray(0, this.#room);
    if (piece.length === 0) return;
    this.#pieces.push(piece);
    this.#room -= piece.length;
  }

  text(): string {
    return toText(concat(this.#pieces));
  }
}
