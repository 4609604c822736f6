import type { Database } from '#libs/postgres/database.ts';
import { Execution } from '#proto/drydock/v1/execution.ts';
import { announceEnds, DELIVERIES, type Dependencies as EndDependencies, type Ended } from '../executions/ends.ts';
import { encodeResult } from '../executions/row.ts';
import { announce } from '../sandboxes/changed-event.ts';
import { LIVE, type SandboxRow } from '../sandboxes/row.ts';

export type Dependencies = EndDependencies & {
  db: Database;
  /** Sends the events of the outbox without waiting for the relay's next turn. */
  wakeRelay: () => void;
};

const BATCH = 100;
const START_LIMIT = '60 s';
const OVERDUE_GRACE = '60 s';
// As long as JetStream keeps what news of them may still come.
const INHERITANCES_KEPT = '24 hours';

const LOST = encodeResult(
  Execution.create({
    state: 'FINISHED',
    verdict: 'INTERNAL_ERROR',
    message: 'the execution was lost with its host; run it again',
  }),
);

/**
 * Ends what is over: sandboxes past their deadline, sandboxes that never started, executions that nobody completed; and
 * forgets what ended longer ago than it is kept. Replicas share the work: a row that one has locked is skipped by the others.
 */
export async function sweep(dependencies: Dependencies, retentionMs: number): Promise<void> {
  const { db, wakeups, wakeRelay } = dependencies;
  let stopped: string[];
  do {
    stopped = await stopOverdueSandboxes(db);
    for (const id of stopped) wakeups.publish(id);
    if (stopped.length > 0) wakeRelay();
  } while (stopped.length === BATCH);
  announceEnds(dependencies, await endLostExecutions(db));
  await forget(db, 'executions', 'finish_time', retentionMs);
  await forget(db, 'sandboxes', 'stop_time', retentionMs);
  await forgetDeletedWebhooks(db);
  await db.query(`delete from inheritances where lost_time < now() - interval '${INHERITANCES_KEPT}'`);
}

async function forget(db: Database, table: string, column: string, retentionMs: number): Promise<void> {
  let forgotten: unknown[];
  do {
    forgotten = await db.query(
      `delete from ${table} where id in (
         select id from ${table} where ${column} < now() - $1::float8 * interval '1 ms'
         limit ${BATCH} for update skip locked
       ) returning id`,
      [retentionMs],
    );
  } while (forgotten.length === BATCH);
}

function stopOverdueSandboxes(db: Database): Promise<string[]> {
  return db.transaction(async (tx) => {
    // What never started gives its request id back, so that trying again with it makes another sandbox.
    const rows = await tx.query<SandboxRow>(
      `update sandboxes set state = 'STOPPED', stop_time = now(),
         stop_reason = case when expire_time <= now() then 'EXPIRED' else 'FAILED_TO_START' end,
         request_id = case when state = 'PENDING' then null else request_id end
       where id in (
         select id from sandboxes
         where state <> 'STOPPED' and state = any($1)
           and (expire_time <= now() or (state = 'PENDING' and create_time < now() - interval '${START_LIMIT}'))
         limit ${BATCH} for update skip locked
       ) returning *`,
      [LIVE],
    );
    await announce(tx, ...rows);
    return rows.map(({ id }) => id);
  });
}

/** One of the queue whose attempt was lost is not among them: whoever takes the next turn takes it again. */
function endLostExecutions(db: Database): Promise<Ended[]> {
  // A run that was waited for gives its request id back; a submission keeps its own, since it was accepted.
  return db.query<Ended>(
    `update executions set state = 'FINISHED', finish_time = now(), result = $1, spec = null,
       request_id = case when lease_expire is null then null else request_id end
     where id in (
       select id from executions where state = 'RUNNING' and deadline < now() - interval '${OVERDUE_GRACE}'
         and (lease_expire is null or lease_expire > now())
       limit ${BATCH} for update skip locked
     ) returning id, ${DELIVERIES}`,
    [LOST],
  );
}

/** Their deliveries first, some at a time: there may be as many as there are executions. */
async function forgetDeletedWebhooks(db: Database): Promise<void> {
  let forgotten: unknown[];
  do {
    forgotten = await db.query(
      `delete from webhook_deliveries where id in (
         select id from webhook_deliveries where webhook_id in (select id from webhooks where delete_time is not null)
         limit ${BATCH} for update skip locked
       ) returning id`,
    );
  } while (forgotten.length === BATCH);
  await db.query(
    `delete from webhooks where delete_time is not null
       and not exists (select from webhook_deliveries where webhook_id = webhooks.id)`,
  );
}
