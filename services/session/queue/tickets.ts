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

/** Writes tickets by organisation, to be sent after the commit: one for each execution that is put into the queue. */
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
 * Gives out tickets anew where NATS has fewer than there are executions to run, as when it lost its disk. One too many is
 * harmless: whoever gets it finds nothing to take. What has changed within the last 5 s may still be on its way.
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
  // What is not sent yet is not lost.
  if (waiting > 0) return;
  const depths = await queue.depths();
  const missing = wanted
    .map(({ organization_id, count }) => [organization_id, count - (depths.get(organization_id) ?? 0)] as const)
    .filter(([, count]) => count > 0);
  if (missing.length === 0) return;
  await db.transaction((tx) => writeTickets(tx, new Map(missing)));
  wakeRelay();
}
