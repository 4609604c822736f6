import { LRUCache } from 'lru-cache';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { ExecutionRow } from '../executions/row.ts';
import { checkSameRequest } from '../requests/admission.ts';
import { writeTickets } from './tickets.ts';

const MAX_ROWS = 500;
const MAX_BYTES = 16 * 1024 * 1024;
const MAX_TENANTS = 10_000;

/** The values of a row of the queue. */
export type Submission = {
  caller: Caller;
  requestId: string;
  sha256: Buffer;
  language: string;
  template: string;
  priority: number;
  /** Empty without one. */
  testSetId: string;
  /** An encoded ExecutionSpec. */
  spec: Uint8Array;
  /** Limit of a whole run. */
  lifetimeMs: number;
};

export type Submissions = {
  /** Writes the row and its ticket, and resolves after the commit. Errors: REQUEST_ID_REUSED. */
  submit(submission: Submission): Promise<ExecutionRow>;
};

type Waiting = Submission & { id: string; settle: PromiseWithResolvers<ExecutionRow> };

/**
 * Groups the submissions that arrive during a transaction into the next one: under load a row costs a fraction of a commit,
 * and without load it does not wait.
 */
export function createSubmissions({ db, wakeRelay }: { db: Database; wakeRelay: () => void }): Submissions {
  const waiting: Waiting[] = [];
  // Shares on record, so that an organisation's row is locked only when its share changes.
  const tenants = new LRUCache<string, string>({ max: MAX_TENANTS });
  let writing = false;

  const writeAll = async (): Promise<void> => {
    if (writing) return;
    writing = true;
    try {
      // Submissions sent together arrive within the same turn of the event loop.
      await new Promise(setImmediate);
      while (waiting.length > 0) await write(takeSome(waiting));
    } finally {
      writing = false;
    }
  };
  const write = async (some: Waiting[]): Promise<void> => {
    try {
      const unknown = some
        .map(({ caller }) => caller)
        .filter((caller) => tenants.get(caller.organizationId) !== shareOf(caller));
      const rows = await db.transaction(async (tx) => {
        await writeTenants(tx, unknown);
        return insert(tx, some);
      });
      for (const caller of unknown) tenants.set(caller.organizationId, shareOf(caller));
      wakeRelay();
      for (const { id, settle } of some) {
        const row = rows.get(id);
        if (row) settle.resolve(row);
      }
      await Promise.all(some.filter(({ id }) => !rows.has(id)).map((repeated) => answerRepeated(db, repeated)));
    } catch (error) {
      for (const { settle } of some) settle.reject(error);
    }
  };

  return {
    submit(submission) {
      const settle = Promise.withResolvers<ExecutionRow>();
      waiting.push({ ...submission, id: newId('exe'), settle });
      void writeAll();
      return settle.promise;
    },
  };
}

function takeSome(waiting: Waiting[]): Waiting[] {
  let bytes = 0;
  const end = waiting.findIndex(({ spec }, index) => {
    bytes += spec.length;
    return index === MAX_ROWS || (index > 0 && bytes > MAX_BYTES);
  });
  return waiting.splice(0, end < 0 ? waiting.length : end);
}

const shareOf = ({ quota }: Caller) => `${quota?.concurrentExecutions} ${quota?.queueWeight}`;

async function writeTenants(tx: Queryable, callers: Caller[]): Promise<void> {
  const each = [...new Map(callers.map((caller) => [caller.organizationId, caller])).values()];
  if (each.length === 0) return;
  each.sort((a, b) => (a.organizationId < b.organizationId ? -1 : 1));
  await tx.query(
    `insert into tenants (organization_id, concurrent_executions, queue_weight)
     select * from unnest($1::text[], $2::int[], $3::int[])
     on conflict (organization_id) do update
       set concurrent_executions = excluded.concurrent_executions, queue_weight = excluded.queue_weight
       where tenants.set_time is null`,
    [
      each.map(({ organizationId }) => organizationId),
      each.map(({ quota }) => quota?.concurrentExecutions),
      each.map(({ quota }) => quota?.queueWeight),
    ],
  );
}

/** Inserts rows, and a ticket for each; returns them by id. A request id that was used before makes no row. */
async function insert(tx: Queryable, some: Waiting[]): Promise<Map<string, ExecutionRow>> {
  const rows = await tx.query<ExecutionRow>(
    `insert into executions
       (id, organization_id, request_id, request_sha256, language, template, priority, spec, lifetime_ms, test_set_id,
        state)
     select id, organization_id, request_id, request_sha256, language, template, priority, spec, lifetime_ms, test_set_id,
       'QUEUED'
     from unnest($1::text[], $2::text[], $3::text[], $4::bytea[], $5::text[], $6::text[], $7::int[], $8::bytea[],
       $9::float8[], $10::text[])
       as given (id, organization_id, request_id, request_sha256, language, template, priority, spec, lifetime_ms, test_set_id)
     on conflict (organization_id, request_id) where request_id is not null do nothing
     returning id, organization_id, language, template, priority, attempt, state, message, create_time`,
    [
      some.map(({ id }) => id),
      some.map(({ caller }) => caller.organizationId),
      some.map(({ requestId }) => requestId || null),
      some.map(({ sha256 }) => sha256),
      some.map(({ language }) => language),
      some.map(({ template }) => template),
      some.map(({ priority }) => priority),
      some.map(({ spec }) => Buffer.from(spec)),
      some.map(({ lifetimeMs }) => lifetimeMs),
      some.map(({ testSetId }) => testSetId || null),
    ],
  );
  const tickets = Map.groupBy(rows, ({ organization_id }) => organization_id);
  await writeTickets(tx, new Map([...tickets].map(([id, { length }]) => [id, length])));
  return new Map(rows.map((row) => [row.id, row]));
}

async function answerRepeated(db: Database, { caller, requestId, sha256, settle }: Waiting): Promise<void> {
  try {
    const [row] = await db.query<ExecutionRow>(
      'select * from executions where organization_id = $1 and request_id = $2',
      [caller.organizationId, requestId],
    );
    if (!row) throw new DrydockError('SERVICE_UNAVAILABLE', 'the earlier request has just ended; try again');
    checkSameRequest(row, sha256);
    settle.resolve(row);
  } catch (error) {
    settle.reject(error);
  }
}
