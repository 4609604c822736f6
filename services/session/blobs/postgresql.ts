import type { Database } from '#libs/postgres/database.ts';
import { type ContentWriter, PIECE_BYTES, type Storage } from './storage.ts';

// A statement that deletes more may take longer than statements may.
const PIECES_AT_ONCE = 32;
/** Bytes of one read: larger ones only wait longer in memory for a slow reader. */
const READ_BYTES = 256 * 1024;

/** Contents as rows of `blob_pieces`. */
export function createPostgresStorage(db: Database): Storage {
  return {
    name: 'POSTGRESQL',
    open: (contentId) => openWriter(db, contentId),
    async *read(contentId, from, to) {
      const read = (at: number) => (at < to ? readAt(db, contentId, at, Math.min(READ_BYTES, to - at)) : undefined);
      let next = read(from);
      for (let at = from; ; ) {
        const data = await next;
        if (!data || data.length === 0) return;
        at += data.length;
        // Read while the caller sends what it has.
        next = read(at);
        next?.catch(() => {});
        yield data;
      }
    },
    async remove(contentId) {
      let removed: unknown[];
      do {
        removed = await db.query(
          `delete from blob_pieces where content_id = $1 and number in (
             select number from blob_pieces where content_id = $1 order by number limit ${PIECES_AT_ONCE}
           ) returning number`,
          [contentId],
        );
      } while (removed.length === PIECES_AT_ONCE);
    },
  };
}

function openWriter(db: Database, contentId: string): ContentWriter {
  let number = 0;
  return {
    async write(data) {
      // The statement that seals the content is durable, and with it all before it.
      await db.query(
        `with piece as (insert into blob_pieces (content_id, number, data) values ($1, $2, $3))
         select set_config('synchronous_commit', 'off', true)`,
        [contentId, number++, data],
      );
    },
    async finish() {},
    async abort() {},
  };
}

async function readAt(db: Database, contentId: string, at: number, length: number): Promise<Buffer | undefined> {
  const [row] = await db.query<{ data: Buffer }>(
    `select substr(data, $3, $4) as data from blob_pieces where content_id = $1 and number = $2`,
    [contentId, Math.floor(at / PIECE_BYTES), (at % PIECE_BYTES) + 1, length],
  );
  return row?.data;
}
