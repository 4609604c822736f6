import { isId } from '#libs/ids.ts';
import type { Events } from '#libs/nats/events.ts';
import { ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import { expire, UNREFERENCED } from '../blobs/expiry.ts';
import { CANCELLED, type Dependencies as EndDependencies, endExecutions, publishEnds } from '../executions/ends.ts';
import { stopSandboxes } from '../sandboxes/stop.ts';

export type Dependencies = EndDependencies & {
  db: Database;
  /** Sends the events of the outbox without waiting for the relay's next poll. */
  wakeRelay: () => void;
};

const BATCH = 100;
// Longer than the lifetime of a token: a gateway that missed the revocation admits calls until then.
const LAST_CALLS = '20 minutes';

/** Marks deleted organisations for `endOrganizations`, and calls `deleted`. */
export function consumeOrganizationDeleted(db: Database, events: Events, deleted: () => void): AsyncDisposable {
  return events.consumeDurable(ORGANIZATION_DELETED, {
    durable: 'session',
    async handle({ organizationId }) {
      if (!isId('org', organizationId)) return;
      await db.query(
        `insert into tenants (organization_id, ending_since) values ($1, now())
         on conflict (organization_id) do update set ending_since = excluded.ending_since`,
        [organizationId],
      );
      deleted();
    },
  });
}

/**
 * Ends the webhooks, sandboxes and executions of deleted organisations, and for 20 minutes those that calls admitted earlier
 * still make. Replicas share the work: each skips the rows that another has locked. An abort leaves the rest to the next run.
 */
export async function endOrganizations(dependencies: Dependencies, signal: AbortSignal): Promise<void> {
  const { db, wakeups, wakeRelay } = dependencies;
  if ((await db.query('select 1 from tenants where ending_since is not null limit 1')).length === 0) return;
  // First, so that the ends of executions make no deliveries.
  await inBatches(db, signal, deleteWebhooks, () => {});
  const live = { sql: `id in (${idsOf('sandboxes', `state <> 'STOPPED'`)})`, values: [] };
  const stop = (tx: Queryable) => stopSandboxes(tx, live, 'DELETED');
  await inBatches(db, signal, stop, (rows) => {
    for (const { id } of rows) wakeups.publish(id);
    wakeRelay();
  });
  for (const state of ['QUEUED', 'RUNNING'] as const) {
    const own = { sql: `id in (${idsOf('executions', `state = '${state}'`)})`, values: [] };
    const cancel = (tx: Queryable) => endExecutions(tx, own, { ...CANCELLED, abort: state === 'RUNNING' });
    await inBatches(db, signal, cancel, (rows) => {
      publishEnds(dependencies, rows);
      wakeRelay();
    });
  }
  await inBatches(db, signal, deleteTestSets, () => {});
  await inBatches(db, signal, deleteBlobs, () => {});
  if (!signal.aborted) await forgetEnded(db);
}

/** Runs batches, each in a transaction with `done` after its commit, until one is not full or `signal` is aborted. */
async function inBatches<T>(
  db: Database,
  signal: AbortSignal,
  work: (tx: Queryable) => Promise<T[]>,
  done: (rows: T[]) => void,
) {
  let rows: T[];
  do {
    if (signal.aborted) return;
    rows = await db.transaction(work);
    if (rows.length > 0) done(rows);
  } while (rows.length === BATCH);
}

/**
 * A query for ids of rows of organisations that are being ended, up to a batch, which locks them. `state` is SQL: which of
 * their rows, as an index by organisation holds them.
 */
function idsOf(table: string, state: string): string {
  // Organisation by organisation, so that the rows of others cost nothing.
  return `select each.id from tenants, lateral (
      select id from ${table} where ${table}.organization_id = tenants.organization_id and ${state}
      limit ${BATCH} for update skip locked
    ) as each
    where ending_since is not null limit ${BATCH}`;
}

/** The sweep deletes their rows and deliveries. */
async function deleteWebhooks(tx: Queryable): Promise<unknown[]> {
  const rows = await tx.query<{ id: string }>(
    `update webhooks set delete_time = now(), request_id = null
     where id in (${idsOf('webhooks', 'delete_time is null')}) returning id`,
  );
  await tx.query('delete from webhook_secrets where webhook_id = any($1)', [rows.map(({ id }) => id)]);
  return rows;
}

/** Long ago, so that the sweep forgets them at once. */
function deleteTestSets(tx: Queryable): Promise<unknown[]> {
  return tx.query(
    `update test_sets set delete_time = '-infinity', request_id = null
     where id in (${idsOf('test_sets', 'delete_time is null')}) returning id`,
  );
}

/** Blobs that no test set has; those of test sets are deleted after these. */
function deleteBlobs(tx: Queryable): Promise<unknown[]> {
  return expire(
    tx,
    `select each.organization_id, each.sha256 from tenants, lateral (
       select organization_id, sha256 from blobs where blobs.organization_id = tenants.organization_id and ${UNREFERENCED}
       limit ${BATCH} for update skip locked
     ) as each
     where ending_since is not null limit ${BATCH}`,
  );
}

async function forgetEnded(db: Database): Promise<void> {
  // As a value and not as a join, which might read the rows of everybody.
  const none = (table: string, state: string) =>
    `(select 1 from ${table} where ${table}.organization_id = tenants.organization_id and ${state} limit 1) is null`;
  await db.query(
    `update tenants set ending_since = null
     where ending_since < now() - interval '${LAST_CALLS}' and ${none('sandboxes', `state <> 'STOPPED'`)}
       and ${none('blobs', 'true')} and ${none('test_sets', 'true')}
       and ${none('executions', `state = 'QUEUED'`)} and ${none('executions', `state = 'RUNNING'`)}`,
  );
}
