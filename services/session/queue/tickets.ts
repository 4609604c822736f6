import { newId } from '#libs/ids.ts';
import { EXECUTION_QUEUE, encode, workEvent } from '#libs/nats/subjects.ts';
import type { WorkQueue } from '#libs/nats/work-queue.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';

const SETTLED_AFTER = '5 s';

type Share = {
  organization_id: string;
  concurrent_executions: number;
  queue_weight: number;
  set_time: Date | null;
};

/** Writes the tickets of organisations to the outbox: one for each execution that enters the queue. */
export async function writeTickets(tx: Queryable, counts: ReadonlyMap<string, number>): Promise<void> {
  if (counts.size === 0) return;
  const shares = await tx.query<Share>('select * from tenants where organization_id = any($1)', [[...counts.keys()]]);
  const events = shares.map(({ organization_id }) => workEvent(EXECUTION_QUEUE, organization_id));
  await tx.query(
    `insert into outbox (id, subject, payload, copies)
     select * from unnest($1::text[], $2::text[], $3::bytea[], $4::int[])`,
    [
      shares.map(() => newId('evt')),
      events.map(({ subject }) => subject),
      shares.map((share, index) => encode(events[index]!, toTicket(share))),
      shares.map(({ organization_id }) => counts.get(organization_id)),
    ],
  );
}

function toTicket({ concurrent_executions, queue_weight, set_time }: Share): ExecutionQueued {
  return {
    concurrentExecutions: concurrent_executions,
    queueWeight: queue_weight,
    setTime: set_time ?? undefined,
  };
}

/**
 * Republishes tickets that NATS has lost, as with its disk: those missing for executions that have waited for 5 s. A surplus
 * ticket is harmless: its scheduler finds nothing to take.
 */
export async function replaceLostTickets(
  db: Database,
  queue: Pick<WorkQueue<ExecutionQueued>, 'depths'>,
  wakeRelay: () => void,
): Promise<void> {
  const wanted = await db.query<{ organization_id: string; count: number }>(
    `select organization_id, count(*) from executions
     where (state = 'QUEUED' and create_time < now() - interval '${SETTLED_AFTER}')
       or (state = 'RUNNING' and lease_expire is not null)
     group by organization_id`,
  );
  if (wanted.length === 0) return;
  const [{ waiting } = { waiting: 0 }] = await db.query<{ waiting: number }>(
    `select coalesce(sum(copies), 0) as waiting from outbox where subject like '${EXECUTION_QUEUE.prefix}.%'`,
  );
  // Tickets that are still in the outbox are not lost.
  if (waiting > 0) return;
  const depths = await queue.depths();
  const missing = wanted
    .map(({ organization_id, count }) => [organization_id, count - (depths.get(organization_id) ?? 0)] as const)
    .filter(([, count]) => count > 0);
  if (missing.length === 0) return;
  await db.transaction((tx) => writeTickets(tx, new Map(missing)));
  wakeRelay();
}
