import { DrydockError } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Database } from '#libs/postgres/database.ts';
import { gauge } from '#libs/telemetry.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

const REFRESH_MS = 1_000;
const RETRY_AFTER_MS = 5_000;

export type QueueLimits = {
  /** Limit of waiting executions of all organisations. */
  maxQueued: number;
  /** An organisation whose oldest execution has waited longer may not add to its queue. */
  maxAgeMs: number;
};

type Depth = { queued: number; oldestMs: number };

export type QueueDepth = {
  /** Counts one more execution of the caller. Errors: QUEUE_FULL, and nothing is counted. */
  admit(caller: Caller): void;
};

/**
 * Depth and age of the queues, read once a second and incremented in between: admission costs no query. Several replicas
 * together may exceed the limit by a second's submissions.
 */
export function watchQueueDepth(db: Database, limits: QueueLimits, log: Logger): QueueDepth & AsyncDisposable {
  let depths = new Map<string, Depth>();
  let total = 0;
  const refresh = every(REFRESH_MS, log, async () => {
    const rows = await db.query<{ organization_id: string; queued: number; oldest_ms: number }>(
      `select organization_id, count(*) as queued, extract(epoch from now() - min(create_time))::float8 * 1000 as oldest_ms
       from executions where state = 'QUEUED' group by organization_id`,
    );
    depths = new Map(
      rows.map(({ organization_id, queued, oldest_ms }) => [organization_id, { queued, oldestMs: oldest_ms }]),
    );
    total = rows.reduce((sum, { queued }) => sum + queued, 0);
  });
  gauge('session_queued_executions', 'Executions that wait.', [], (set) => set({}, total));
  gauge('session_oldest_queued_execution_seconds', 'How long the one that waits longest has waited.', [], (set) =>
    set({}, Math.max(0, ...[...depths.values()].map(({ oldestMs }) => oldestMs)) / 1000),
  );
  return {
    admit({ organizationId, quota }) {
      const depth = depths.get(organizationId) ?? { queued: 0, oldestMs: 0 };
      const allowed = quota?.queuedExecutions ?? 0;
      if (depth.queued >= allowed)
        throw queueFull(`the organisation has ${depth.queued} of ${allowed} executions waiting`);
      if (depth.oldestMs > limits.maxAgeMs)
        throw queueFull(`the organisation's oldest execution has waited for ${Math.round(depth.oldestMs / 1000)} s`);
      if (total >= limits.maxQueued) throw queueFull(`the platform has ${total} executions waiting`);
      depth.queued += 1;
      total += 1;
      depths.set(organizationId, depth);
    },
    [Symbol.asyncDispose]: () => refresh[Symbol.asyncDispose](),
  };
}

function queueFull(what: string): DrydockError {
  return new DrydockError('QUEUE_FULL', `${what}; try again later`, { retryAfterMs: RETRY_AFTER_MS });
}
