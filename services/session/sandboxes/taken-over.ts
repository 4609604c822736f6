import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import { isId } from '#libs/ids.ts';
import type { Events } from '#libs/nats/events.ts';
import { ANY, sandboxesInherited } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import { publishChanges } from './changed-event.ts';
import { LIVE, type SandboxRow } from './row.ts';
import { stopSandboxes } from './stop.ts';

/** Each redelivery waits a second. An executor may be cut off from its cluster, but not from NATS, for as long. */
const MAX_DELIVERIES = 600;

export type Dependencies = {
  db: Database;
  events: Pick<Events, 'consumeDurable'>;
  executors: Pick<ExecutorDirectory, 'find'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

/**
 * Records the sandboxes that an executor took over from a dead one, in any order of events. Repetition changes nothing. The
 * new owner is sent the events of those that had stopped, which it may not know.
 *
 * An executor is not believed that it took over from one that is there: the other one's own heartbeats say whether it was away.
 */
export function consumeTakeovers({ db, events, executors, wakeRelay }: Dependencies): AsyncDisposable {
  return events.consumeDurable(sandboxesInherited(ANY), {
    durable: 'session-taken-over',
    async handle({ executorId, heirExecutorId, sandboxIds, lostTime }, delivery) {
      // Sandboxes without an executor have the empty id.
      if (!executorId || !heirExecutorId || !lostTime) return;
      const heard = await executors.find(executorId);
      if (heard && !isLater(heard, lostTime)) {
        if (delivery >= MAX_DELIVERIES) return;
        throw new Error(`${executorId} is there, and ${heirExecutorId} says that it took over from it`);
      }
      const ids = sandboxIds.filter((id) => isId('sbx', id));
      await db.transaction(async (tx) => {
        // One takeover at a time: the next may have to move the same sandboxes.
        await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.inherited'))`);
        const takeover = { executorId, heirExecutorId, sandboxIds: ids, lostTime };
        await apply(tx, takeover, heard?.memberSince);
      });
      wakeRelay();
    },
  });
}

/** Whether an executor is there again after it was lost, as its cluster told it. */
const isLater = ({ memberSince }: ExecutorAnnounced, lostTime: Date) =>
  memberSince !== undefined && memberSince.getTime() > lostTime.getTime();

type Takeover = { executorId: string; heirExecutorId: string; sandboxIds: string[]; lostTime: Date };

/** What began since `backSince` is of the lost executor itself, which is there again. */
async function apply(tx: Queryable, takeover: Takeover, backSince: Date | undefined): Promise<void> {
  await keep(tx, takeover);
  await move(tx, takeover, backSince);
  for (let next = await takeoverOf(tx, takeover); next; next = await takeoverOf(tx, next)) await move(tx, next);
}

async function move(tx: Queryable, takeover: Takeover, backSince?: Date): Promise<void> {
  const { executorId, heirExecutorId, sandboxIds, lostTime } = takeover;
  const moved = await tx.query<SandboxRow>(
    `update sandboxes set executor_id = $2, inherit_time = $5
     where executor_id = $1 and state <> 'STOPPED' and state = any($4) and id = any($3)
       and coalesce(inherit_time, start_time) < coalesce($6, 'infinity'::timestamptz) returning *`,
    [executorId, heirExecutorId, sandboxIds, LIVE, lostTime, backSince],
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
