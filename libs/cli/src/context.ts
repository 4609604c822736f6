import type { Drydock, DrydockOptions } from '../../sdk/typescript/src/index.ts';
import { type Format, Output } from './output.ts';

export type GlobalOptions = { url?: string; profile?: string; output?: Format };

/** What every command works with. */
export type Context = {
  output: Output;
  /** Aborted when the user ends the command, and when nobody reads its output any more. */
  signal: AbortSignal;
  options: GlobalOptions;
  /** A client of the platform, made at its first use: where it is not needed, the SDK is not loaded. */
  connect(): Promise<Drydock>;
  /** Code that runs before the process ends, however it ends. */
  defer(cleanup: () => Promise<void>): void;
  close(): Promise<void>;
};

/** What a command does. Answers with the exit code, by default 0. */
export type Work = (context: Context) => Promise<number | undefined>;
export type Perform = (work: Work) => Promise<void>;

export function createContext(options: GlobalOptions, signal: AbortSignal): Context {
  const cleanups: (() => Promise<void>)[] = [];
  let client: Promise<Drydock> | undefined;
  return {
    output: new Output(options.output, signal),
    signal,
    options,
    connect() {
      client ??= open(options);
      return client;
    },
    defer(cleanup) {
      cleanups.unshift(cleanup);
    },
    async close() {
      const outcomes = await Promise.allSettled(cleanups.splice(0).map((cleanup) => cleanup()));
      const client_ = await client?.catch(() => undefined);
      client_?.close();
      const failed = outcomes.find((outcome) => outcome.status === 'rejected');
      if (failed) throw failed.reason;
    },
  };
}

async function open({ url, profile }: GlobalOptions): Promise<Drydock> {
  const { Drydock } = await import('../../sdk/typescript/src/index.ts');
  const settings: DrydockOptions = { ...(url ? { url } : {}), ...(profile ? { profile } : {}) };
  return new Drydock(settings);
}
