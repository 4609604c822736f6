import type { Database } from '#libs/database.ts';
import { Execution } from '#proto/drydock/v1/execution.ts';
import { announce } from './announce.ts';
import type { SandboxRow } from './rows.ts';

const BATCH = 100;
const START_LIMIT = '60 s';
const OVERDUE_GRACE = '60 s';

const LOST = Buffer.from(
  Execution.encode(
    Execution.create({ state: 'FINISHED', verdict: 'INTERNAL_ERROR', message: 'the platform lost the execution; run it again' }),
  ).finish(),
).toString('base64');

/**
 * Ends what is over: sandboxes past their deadline, sandboxes that never started, executions that nobody completed.
 * Replicas share the work: a row that one has locked is skipped by the others.
 */
export async function sweep({ db, changed }: { db: Database; changed: () => void }): Promise<void> {
  const stopped = await db.transaction(async (tx) => {
    const rows = await tx.query<SandboxRow>(
      `update sandboxes set state = 'STOPPED', stop_time = now(),
         stop_reason = case when expire_time <= now() then 'EXPIRED' else 'FAILED_TO_START' end
       where id in (
         select id from sandboxes
         where state <> 'STOPPED' and (expire_time <= now() or (state = 'PENDING' and create_time < now() - interval '${START_LIMIT}'))
         limit ${BATCH} for update skip locked
       ) returning *`,
    );
    for (const row of rows) await announce(tx, row);
    return rows.length;
  });
  if (stopped > 0) changed();
  await db.query(
    `update executions set state = 'FINISHED', finish_time = now(), result = $1, request_id = null
     where id in (
       select id from executions where state = 'RUNNING' and deadline < now() - interval '${OVERDUE_GRACE}'
       limit ${BATCH} for update skip locked
     )`,
    [LOST],
  );
}
