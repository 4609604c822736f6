import type { Database } from '#libs/postgres/database.ts';

// Longer than a submission takes from finding the test set to writing its row.
const GRACE = '10 minutes';
const BATCH = 10;

/** Deletes the rows of deleted test sets that no execution needs any more. Their blobs count as used until now. */
export async function forgetTestSets(db: Database): Promise<void> {
  let forgotten: unknown[];
  do {
    forgotten = await db.query(
      `with gone as (
         select id from test_sets
         where delete_time < now() - interval '${GRACE}' and not exists (
           select from executions where test_set_id = test_sets.id and state in ('QUEUED', 'RUNNING')
         ) limit ${BATCH} for update skip locked
       ), used as (
         update blobs set use_time = now() from test_set_blobs as named
         where named.test_set_id in (select id from gone)
           and blobs.organization_id = named.organization_id and blobs.sha256 = named.sha256
       )
       delete from test_sets where id in (select id from gone) returning id`,
    );
  } while (forgotten.length === BATCH);
}
