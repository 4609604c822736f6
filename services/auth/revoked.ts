import type { Queryable } from '#libs/postgres/database.ts';

const PAGE = 1_000;

/** Ids of the API keys that were revoked and the organisations that were deleted within the last `withinMs`, in pages. */
export async function* revokedWithin(db: Queryable, withinMs: number): AsyncIterable<string[]> {
  const [start] = await db.query<{ time: string }>(`select (now() - $1::float8 * interval '1 ms')::text as time`, [
    withinMs,
  ]);
  yield* endedSince(db, 'api_keys', 'revoke_time', start!.time);
  yield* endedSince(db, 'organizations', 'delete_time', start!.time);
}

async function* endedSince(db: Queryable, table: string, column: string, since: string): AsyncIterable<string[]> {
  // Times stay text: a Date would lose the microseconds, and the keys of a deleted organisation all have the same.
  let last = { id: '', time: since };
  let page: (typeof last)[];
  do {
    page = await db.query(
      `select id, ${column}::text as time from ${table}
       where ${column} is not null and (${column}, id) > ($1::timestamptz, $2) order by ${column}, id limit ${PAGE}`,
      [last.time, last.id],
    );
    if (page.length > 0) yield page.map(({ id }) => id);
    last = page.at(-1) ?? last;
  } while (page.length === PAGE);
}
