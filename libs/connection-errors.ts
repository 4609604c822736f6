import { setTimeout as pause } from 'node:timers/promises';
import type { Logger } from '#libs/log.ts';

const RETRY_MS = 500;
// Refused, unknown host, starting up (57P03), too many connections (53300), or not yet migrated.
const WAITING = new Set([
  ...['ECONNREFUSED', 'ENOENT', 'ETIMEDOUT', 'ECONNRESET', 'EHOSTUNREACH', 'ENETUNREACH', 'ENOTFOUND', 'EAI_AGAIN'],
  ...['57P03', '53300', 'SCHEMA_BEHIND'],
]);

/** Retries until the database is ready: it may start after the service. Throws the last error at shutdown. */
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

// A refused connection succeeds later; a broken migration never does.
function isWaiting(error: unknown): boolean {
  const { code = '' } = error as { code?: string };
  return WAITING.has(code) || String(error).includes('timeout');
}
