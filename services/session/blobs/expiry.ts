import type { Queryable } from '#libs/postgres/database.ts';
import { type Dependencies, removeContent } from './contents.ts';

// A blob goes after 30 days; its last use is written down to a day.
const KEPT = '31 days';
// Longer than an upload may pause.
const ABANDONED = '10 minutes';
const BATCH = 100;

/** A condition of rows of `blobs`: no test set has it. */
export const UNREFERENCED = `not exists (select from test_set_blobs as named
    where named.organization_id = blobs.organization_id and named.sha256 = blobs.sha256)`;

/** The same: nothing has used it, no test set has it, and what runs was submitted after its last use. */
const EXPIRED = `use_time < now() - interval '${KEPT}' and ${UNREFERENCED}
  and not exists (select from executions where executions.organization_id = blobs.organization_id and state = 'QUEUED'
    and executions.create_time < blobs.use_time + interval '2 days')
  and not exists (select from executions where executions.organization_id = blobs.organization_id and state = 'RUNNING'
    and executions.create_time < blobs.use_time + interval '2 days')`;

/** Deletes blobs that have expired and contents that no blob has. Replicas share the work. */
export async function expireBlobs(dependencies: Dependencies): Promise<void> {
  const { db } = dependencies;
  let expired: unknown[];
  do {
    expired = await expire(
      db,
      `select organization_id, sha256 from blobs where ${EXPIRED} limit ${BATCH} for update skip locked`,
    );
  } while (expired.length === BATCH);
  await removeAbandoned(dependencies);
}

/** Deletes the blobs whose keys a query gives; their contents are removed by the next run of `expireBlobs`. */
export function expire(db: Queryable, keys: string): Promise<unknown[]> {
  return db.query(
    `with gone as (delete from blobs where (organization_id, sha256) in (${keys}) returning content_id)
     update blob_contents set sealed = false, change_time = '-infinity' from gone where id = content_id returning id`,
  );
}

async function removeAbandoned(dependencies: Dependencies): Promise<void> {
  let rows: { id: string; storage: string }[];
  do {
    // Touched, so that other replicas leave it to this one.
    rows = await dependencies.db.query(
      `update blob_contents set change_time = now() where id in (
         select id from blob_contents where not sealed and change_time < now() - interval '${ABANDONED}'
         limit ${BATCH} for update skip locked
       ) returning id, storage`,
    );
    for (const { id, storage } of rows) await removeContent(dependencies, id, storage);
  } while (rows.length === BATCH);
}
