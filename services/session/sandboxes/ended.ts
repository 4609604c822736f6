import { isId } from '#libs/ids.ts';
import type { Events } from '#libs/nats/events.ts';
import { ANY, sandboxEnded } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { LIVE } from './row.ts';
import { stopSandboxes } from './stop.ts';

// A new owner may report a sandbox's end before its takeover is recorded; each redelivery waits a second.
const MAX_DELIVERIES = 60;

export type Dependencies = {
  db: Database;
  events: Pick<Events, 'consumeDurable'>;
  wakeups: Pick<Wakeups, 'publish'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

/**
 * Records the ends of sandboxes that their executors report. A report of an executor that no longer owns the sandbox does not
 * count.
 */
export function consumeEnded({ db, events, wakeups, wakeRelay }: Dependencies): AsyncDisposable {
  return events.consumeDurable(sandboxEnded(ANY), {
    durable: 'session-ended',
    async handle({ sandboxId, organizationId, executorId, reason }, delivery) {
      if (!isId('sbx', sandboxId)) return;
      await db.transaction(async (tx) => {
        const held = {
          sql: `id = $1 and organization_id = $2 and executor_id in ('', $3)`,
          values: [sandboxId, organizationId, executorId],
        };
        const failed = await stopSandboxes(
          tx,
          { ...held, sql: `${held.sql} and state = 'PENDING'` },
          'FAILED_TO_START',
        );
        const stopped = failed.length > 0 ? failed : await stopSandboxes(tx, held, reason);
        if (stopped.length === 0 && delivery < MAX_DELIVERIES && (await isLive(tx, sandboxId, organizationId)))
          throw new Error(`the sandbox is not recorded as owned by ${executorId}`);
      });
      wakeups.publish(sandboxId);
      wakeRelay();
    },
  });
}

async function isLive(tx: Queryable, id: string, organizationId: string): Promise<boolean> {
  const rows = await tx.query('select 1 from sandboxes where id = $1 and organization_id = $2 and state = any($3)', [
    id,
    organizationId,
    LIVE,
  ]);
  return rows.length > 0;
}
