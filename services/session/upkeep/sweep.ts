import type { Database } from '#libs/postgres/database.ts';
import type { Sandbox_StopReason } from '#proto/drydock/v1/sandbox.ts';
import { type Dependencies as EndDependencies, endExecutions, internalError, publishEnds } from '../executions/ends.ts';
import { LIVE, type SandboxRow } from '../sandboxes/row.ts';
import { stopSandboxes } from '../sandboxes/stop.ts';
import { forgetTestSets } from '../test-sets/expiry.ts';

export type Dependencies = EndDependencies & {
  db: Database;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

const BATCH = 100;
const START_LIMIT = '60 s';
const OVERDUE_GRACE = '60 s';
// As long as JetStream keeps events of them.
const INHERITANCES_KEPT = '24 hours';

const LOST = { ...internalError('the execution was lost with its host; run it again'), retriable: true };

/** Overdue runs, except those of the queue whose lease has expired: the next ticket takes these again. */
const ABANDONED = {
  sql: `id in (
    select id from executions where state = 'RUNNING' and deadline < now() - interval '${OVERDUE_GRACE}'
      and (lease_expire is null or lease_expire > now())
    limit ${BATCH} for update skip locked
  )`,
  values: [],
};

/**
 * Ends sandboxes past their deadline, sandboxes that never started and executions that were never completed; deletes rows whose
 * retention is over. Replicas share the work: each skips the rows that another has locked.
 */
export async function sweep(dependencies: Dependencies, retentionMs: number): Promise<void> {
  const { db } = dependencies;
  await stopOverdue(dependencies, 'expire_time <= now()', 'EXPIRED');
  const stuck = `state = 'PENDING' and create_time < now() - interval '${START_LIMIT}'`;
  await stopOverdue(dependencies, stuck, 'FAILED_TO_START');
  publishEnds(dependencies, await endExecutions(db, ABANDONED, LOST));
  await forget(db, 'executions', 'finish_time', retentionMs);
  await forgetTestSets(db);
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

/** `overdue` is SQL. */
async function stopOverdue({ db, wakeups, wakeRelay }: Dependencies, overdue: string, reason: Sandbox_StopReason) {
  const where = {
    sql: `id in (
      select id from sandboxes where state <> 'STOPPED' and state = any($1) and ${overdue} limit ${BATCH} for update skip locked
    )`,
    values: [LIVE],
  };
  let stopped: SandboxRow[];
  do {
    stopped = await db.transaction((tx) => stopSandboxes(tx, where, reason));
    for (const { id } of stopped) wakeups.publish(id);
    if (stopped.length > 0) wakeRelay();
  } while (stopped.length === BATCH);
}

/** In batches, and their deliveries first: there may be as many as there are executions. */
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
