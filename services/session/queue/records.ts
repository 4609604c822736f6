import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import { type Dependencies as EndDependencies, endExecutions, internalError, publishEnds } from '../executions/ends.ts';
import type { ExecutionRow } from '../executions/row.ts';
import { ownSpec } from '../executions/spec.ts';
import { fromRecord, type TestSets } from '../executions/test-sets.ts';
import type { Wakeups } from '../requests/wakeups.ts';
import { writeTickets } from './tickets.ts';

/** Lease of an attempt, unless its heartbeat extends it. */
const LEASE = '15 s';
/** An execution is given up after this many lost attempts: it may be the reason why its hosts die. */
const MAX_FAILURES = 5;

export type Dependencies = EndDependencies & {
  db: Database;
  catalog: Catalog;
  testSets: TestSets;
  wakeups: Pick<Wakeups, 'publish'>;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

type QueueRecords = Pick<Rpc<RecordServiceDefinition>, 'takeExecution' | 'extendExecutions' | 'returnExecution'>;

/** The queue as schedulers see it. Every step is one statement that moves a row from an expected state. */
export function createQueueRecords(dependencies: Dependencies): QueueRecords {
  const { db, wakeups, wakeRelay } = dependencies;

  /** Ends an execution that was lost too often, with the message of its last host. */
  const giveUp = async ({ id, organization_id, failures, message }: ExecutionRow): Promise<void> => {
    const reason = `given up after ${failures} attempts were lost${message ? `; the last one: ${message}` : ''}`;
    const running = {
      sql: `id = $1 and organization_id = $2 and state = 'RUNNING'`,
      values: [id, organization_id],
    };
    publishEnds(dependencies, await endExecutions(db, running, internalError(reason)));
  };

  return {
    async takeExecution(_, call) {
      const { organizationId } = callerOf(call);
      for (let row = await takeNext(db, organizationId); row; row = await takeNext(db, organizationId)) {
        if (row.failures >= MAX_FAILURES) {
          await giveUp(row);
          continue;
        }
        wakeups.publish(row.id);
        return { attempt: row.attempt, spec: await specOf(dependencies, row) };
      }
      return { attempt: 0, spec: undefined };
    },

    async extendExecutions({ attempts }) {
      const rows = await db.query<{ id: string }>(
        `update executions set lease_expire = now() + interval '${LEASE}'
         from unnest($1::text[], $2::int[]) as held (held_id, held_attempt)
         where id = held_id and attempt = held_attempt and state = 'RUNNING' returning id`,
        [attempts.map(({ executionId }) => executionId), attempts.map(({ attempt }) => attempt)],
      );
      const kept = new Set(rows.map(({ id }) => id));
      return { lostExecutionIds: attempts.map(({ executionId }) => executionId).filter((id) => !kept.has(id)) };
    },

    async returnExecution({ executionId, attempt, message, lost }, call) {
      const { organizationId } = callerOf(call);
      await db.transaction(async (tx) => {
        const [row] = await tx.query(
          `update executions set state = 'QUEUED', lease_expire = null, message = $4,
             failures = failures + case when $5 then 1 else 0 end
           where id = $1 and organization_id = $2 and attempt = $3 and state = 'RUNNING' returning id`,
          [executionId, organizationId, attempt, message, lost],
        );
        if (row) await writeTickets(tx, new Map([[organizationId, 1]]));
      });
      wakeRelay();
      return {};
    },
  };
}

/** The organisation's next execution: one whose lease has expired, else the oldest of the highest priority. */
async function takeNext(db: Queryable, organizationId: string): Promise<ExecutionRow | undefined> {
  const [row] = await db.query<ExecutionRow>(
    `with lost as (
       select id from executions
       where organization_id = $1 and state = 'RUNNING' and lease_expire < now()
       order by lease_expire limit 1 for update skip locked
     ), waiting as (
       select id from executions
       where organization_id = $1 and state = 'QUEUED' and not exists (select from lost)
       order by priority desc, id limit 1 for update skip locked
     )
     update executions set state = 'RUNNING', attempt = attempt + 1, lease_expire = now() + interval '${LEASE}',
       deadline = now() + lifetime_ms * interval '1 ms', start_time = coalesce(start_time, now()), failures = failures + case when state = 'RUNNING' then 1 else 0 end
     where id in (select id from lost union all select id from waiting) returning *`,
    [organizationId],
  );
  return row;
}

async function specOf(
  { testSets, catalog }: Dependencies,
  { id, organization_id, spec, deadline, test_set_id }: ExecutionRow,
): Promise<ExecutionSpec> {
  const testSet = test_set_id ? await testSets.find(organization_id, test_set_id, { deleted: true }) : undefined;
  return ownSpec(fromRecord(ExecutionSpec.decode(spec!), testSet, catalog), {
    executionId: id,
    organizationId: organization_id,
    deadline: deadline!,
  });
}
