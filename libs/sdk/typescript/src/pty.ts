import type { CommandHandle } from './command-handle.ts';
import { type Command, Commands, startProcess } from './commands.ts';
import type { Connection } from './connection.ts';
import type { Duration } from './durations.ts';
import { StartProcessRequest } from './generated/drydock/v1/process.ts';
import { refuseOthers } from './options.ts';

export type PtyOptions = {
  /** 1 to 1,000. */
  rows: number;
  /** 1 to 1,000. */
  columns: number;
  /** Hears all that the terminal shows. If it throws, the program is killed, and `wait()` throws the same. */
  onData?: (data: Uint8Array) => void;
  /** Default: `/bin/sh`. At most 1,024 arguments, 128 KiB in all. */
  command?: Command;
  /** Added to the sandbox's own and `TERM=xterm-256color`. At most 128, 32 KiB in all. Default: none. */
  environment?: Readonly<Record<string, string>>;
  /** Absolute, or relative to the home. Default: the home. */
  workingDirectory?: string;
  /** From its start; then the program is killed, and `wait()` throws TimeoutError. Default: none but the sandbox's lifetime. */
  timeout?: Duration | null;
  timeoutMs?: number | null;
  /** Kills the program; `wait()` throws the signal's reason. */
  signal?: AbortSignal;
};

const PTY_OPTIONS = [
  'rows',
  'columns',
  'onData',
  'command',
  'environment',
  'workingDirectory',
  'timeout',
  'timeoutMs',
  'signal',
];

/** A program on a terminal. */
export type Terminal = Pick<CommandHandle, 'id' | 'pid' | 'wait' | 'kill' | 'resize'> & {
  write(data: string | Uint8Array): Promise<void>;
};

/** Terminals of one sandbox. */
export class Pty {
  readonly #connection: Connection;
  readonly #sandboxId: string;

  constructor(connection: Connection, sandboxId: string) {
    this.#connection = connection;
    this.#sandboxId = sandboxId;
  }

  /** Starts a program, by default a shell, on a terminal. Its output is read at once, for `onData`. */
  async create(options: PtyOptions): Promise<Terminal> {
    refuseOthers(options, PTY_OPTIONS);
    const { rows, columns, onData, command = ['/bin/sh'], environment = {}, workingDirectory = '', ...rest } = options;
    const request = StartProcessRequest.create({
      command: typeof command === 'string' ? ['/bin/sh', '-c', command] : [...command],
      environment: { TERM: 'xterm-256color', ...environment },
      workingDirectory,
      terminal: { rows, columns },
    });
    const handle = await startProcess(this.#connection, this.#sandboxId, request, {
      ...rest,
      ...(onData ? { onStdout: (_text, { data }) => onData(data) } : {}),
    });
    return toTerminal(handle);
  }

  /**
   * Joins a program on a terminal: `onData` first hears what is kept of its output, to 1 MiB. Aborting `signal` ends the reading,
   * not the program. Throws NotFoundError.
   */
  async connect(
    id: string,
    options: { onData?: (data: Uint8Array) => void; signal?: AbortSignal } = {},
  ): Promise<Terminal> {
    refuseOthers(options, ['onData', 'signal']);
    const { onData, signal } = options;
    const commands = new Commands(this.#connection, this.#sandboxId);
    const handle = await commands.connect(id, {
      ...(signal ? { signal } : {}),
      ...(onData ? { onStdout: (_text, { data }) => onData(data) } : {}),
    });
    return toTerminal(handle);
  }
}

function toTerminal(handle: CommandHandle): Terminal {
  // The caller of wait() hears of a failure.
  handle.wait().catch(() => {});
  return {
    id: handle.id,
    pid: handle.pid,
    wait: (options) => handle.wait(options),
    kill: (name) => handle.kill(name),
    resize: (size) => handle.resize(size),
    write: (data) => handle.stdin.write(data),
  };
}
