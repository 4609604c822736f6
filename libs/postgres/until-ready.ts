import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '#libs/log.ts';
import { SchemaBehindError } from '#libs/postgres/database.ts';
import { isUnreachable } from '#libs/postgres/unreachable.ts';

const RETRY_MS = 500;
/** Retries until the database is ready: it may start after the service. Throws the last error at shutdown. */
export async function untilReady<T>(log: Logger, shutdown: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (shutdown.aborted || !mayMendItself(error)) throw error;
      if (tries === 0) log.warn({ err: error }, 'waiting for the database');
      await pause(RETRY_MS);
    }
  }
}

// A refused connection succeeds later, and so does a schema that `migrate` is working on; a broken migration never does.
const mayMendItself = (error: unknown) => isUnreachable(error) || error instanceof SchemaBehindError;
