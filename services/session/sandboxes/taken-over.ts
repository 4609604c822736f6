import { isId } from '#libs/ids.ts';
import type { Events } from '#libs/nats/events.ts';
import { ANY, sandboxesInherited } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import { publishChanges } from './changed-event.ts';
import { LIVE, type SandboxRow } from './row.ts';
import { stopSandboxes } from './stop.ts';

export type Dependencies = {
  db: Database;
  events: Pick<Events, 'consumeDurable'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

/**
 * Records the sandboxes that an executor took over from a dead one, in any order of events. Repetition changes nothing. The
 * new owner is sent the events of those that had stopped, which it may not know.
 */
export function consumeTakeovers({ db, events, wakeRelay }: Dependencies): AsyncDisposable {
  return events.consumeDurable(sandboxesInherited(ANY), {
    durable: 'session-taken-over',
    async handle({ executorId, heirExecutorId, sandboxIds, lostTime }) {
      // Sandboxes without an executor have the empty id.
      if (!executorId || !heirExecutorId || !lostTime) return;
      const ids = sandboxIds.filter((id) => isId('sbx', id));
      await db.transaction(async (tx) => {
        // One takeover at a time: the next may have to move the same sandboxes.
        await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.inherited'))`);
        await apply(tx, { executorId, heirExecutorId, sandboxIds: ids, lostTime });
      });
      wakeRelay();
    },
  });
}

type Takeover = { executorId: string; heirExecutorId: string; sandboxIds: string[]; lostTime: Date };

async function apply(tx: Queryable, takeover: Takeover): Promise<void> {
  await keep(tx, takeover);
  for (let next: Takeover | undefined = takeover; next; next = await takeoverOf(tx, next)) await move(tx, next);
}

async function move(tx: Queryable, { executorId, heirExecutorId, sandboxIds, lostTime }: Takeover): Promise<void> {
  const moved = await tx.query<SandboxRow>(
    `update sandboxes set executor_id = $2, inherit_time = $5
     where executor_id = $1 and state <> 'STOPPED' and state = any($4) and id = any($3) returning *`,
    [executorId, heirExecutorId, sandboxIds, LIVE, lostTime],
  );
  const stopped = await tx.query<SandboxRow>(`select * from sandboxes where id = any($1) and state = 'STOPPED'`, [
    sandboxIds,
  ]);
  await publishChanges(tx, ...moved, ...stopped);
  const lost = {
    sql: 'executor_id = $1 and not id = any($2) and coalesce(inherit_time, start_time) < $3',
    values: [executorId, sandboxIds, lostTime],
  };
  await stopSandboxes(tx, lost, 'HOST_LOST');
}

async function keep(tx: Queryable, { executorId, heirExecutorId, sandboxIds, lostTime }: Takeover): Promise<void> {
  await tx.query(
    `insert into inheritances (executor_id, heir_executor_id, sandbox_ids, lost_time) values ($1, $2, $3, $4)
     on conflict (executor_id) do update set heir_executor_id = $2, sandbox_ids = $3, lost_time = $4
       where inheritances.lost_time <= excluded.lost_time`,
    [executorId, heirExecutorId, sandboxIds, lostTime],
  );
}

/** The takeover of the new owner itself, if it died later and that event came first. */
async function takeoverOf(tx: Queryable, { heirExecutorId, lostTime }: Takeover): Promise<Takeover | undefined> {
  const [row] = await tx.query<Takeover>(
    `select executor_id as "executorId", heir_executor_id as "heirExecutorId", sandbox_ids as "sandboxIds",
       lost_time as "lostTime" from inheritances where executor_id = $1 and lost_time > $2`,
    [heirExecutorId, lostTime],
  );
  return row;
}
