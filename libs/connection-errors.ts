import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '#libs/log.ts';

const RETRY_MS = 500;
// Nobody answers there, nobody knows the name, it starts (57P03), has no room (53300), or is being migrated.
const WAITING = new Set([
  ...['ECONNREFUSED', 'ENOENT', 'ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['57P03', '53300', 'SCHEMA_BEHIND'],
]);

/** Tries until it succeeds: what a service needs at its start may start after it. Ends early, with the error, at shutdown. */
export async function untilReady<T>(log: Logger, shutdown: AbortSignal, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 0; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (shutdown.aborted || !isWaiting(error)) throw error;
      if (tries === 0) log.warn({ err: error }, 'waiting for the database');
      await pause(RETRY_MS);
    }
  }
}

// A connection that is refused will be accepted one day; a migration that is wrong stays wrong.
function isWaiting(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return WAITING.has(code) || String(error).includes('timeout');
}
