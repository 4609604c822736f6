import { isId } from '#libs/ids.ts';
import type { Events } from '#libs/nats/events.ts';
import { ORGANIZATION_CHANGED } from '#libs/nats/subjects.ts';
import type { Database } from '#libs/postgres/database.ts';
import { writeTickets } from './tickets.ts';

/**
 * Records the shares of the queue that an operator sets. They replace those of callers' tokens, which may be older, and reach
 * schedulers by a ticket if anything waits.
 */
export function consumeOrganizationChanged(db: Database, events: Events, wakeRelay: () => void): AsyncDisposable {
  return events.consumeDurable(ORGANIZATION_CHANGED, {
    durable: 'session-changed',
    async handle({ organizationId, quota, changeTime }) {
      if (!isId('org', organizationId) || !quota || !changeTime) return;
      await db.transaction(async (tx) => {
        const [set] = await tx.query(
          `insert into tenants (organization_id, concurrent_executions, queue_weight, set_time) values ($1, $2, $3, $4)
           on conflict (organization_id) do update
             set concurrent_executions = excluded.concurrent_executions, queue_weight = excluded.queue_weight,
               set_time = excluded.set_time
             where tenants.set_time is null or tenants.set_time <= excluded.set_time
           returning (select 1 from executions where organization_id = $1 and state = 'QUEUED' limit 1) as waiting`,
          [organizationId, quota.concurrentExecutions, quota.queueWeight, changeTime],
        );
        if (set?.waiting) await writeTickets(tx, new Map([[organizationId, 1]]));
      });
      wakeRelay();
    },
  });
}
