import type { Database } from '#libs/postgres/database.ts';

const BATCH = 1_000;
const ENDED_KEYS_KEPT = '30 days';
const REQUESTS_KEPT = '7 days';
const JOIN_TOKENS_KEPT = '7 days';
const AUDIT_LOG_KEPT = '365 days';

const ended = (key: string) =>
  `(${key}.revoke_time < now() - interval '${ENDED_KEYS_KEPT}' or ${key}.expire_time < now() - interval '${ENDED_KEYS_KEPT}')`;

/**
 * Deletes ended keys, requests, join tokens and audit rows whose retention is over. Replicas share the work: each skips the rows that
 * another has locked.
 */
export async function sweep(db: Database, signal: AbortSignal): Promise<void> {
  await inBatches(signal, () => forgetKeys(db));
  await inBatches(signal, () => forget(db, 'requests', 'create_time', REQUESTS_KEPT));
  await inBatches(signal, () => forget(db, 'join_tokens', 'expire_time', JOIN_TOKENS_KEPT));
  await inBatches(signal, () => forget(db, 'audit_log', 'at', AUDIT_LOG_KEPT));
}

async function inBatches(signal: AbortSignal, forgetSome: () => Promise<number>): Promise<void> {
  while (!signal.aborted && (await forgetSome()) > 0);
}

/**
 * The keys that a deleted key made are given its own maker, so that descendants are found across the gap. A key whose maker is
 * due too waits for a later batch: one statement must not both change and delete a row.
 */
async function forgetKeys(db: Database): Promise<number> {
  const forgotten = await db.query(
    `with forgotten as (
       delete from api_keys where id in (
         select id from api_keys k
         where ${ended('k')} and not exists (select from api_keys m where m.id = k.creator_api_key_id and ${ended('m')})
         limit ${BATCH} for update skip locked
       ) returning id, creator_api_key_id
     ), inherited as (
       update api_keys k set creator_api_key_id = forgotten.creator_api_key_id
       from forgotten where k.creator_api_key_id = forgotten.id
     )
     select id from forgotten`,
  );
  return forgotten.length;
}

async function forget(db: Database, table: string, column: string, kept: string): Promise<number> {
  const forgotten = await db.query(
    `delete from ${table} where ctid in (
       select ctid from ${table} where ${column} < now() - interval '${kept}' limit ${BATCH} for update skip locked
     ) returning 1`,
  );
  return forgotten.length;
}
