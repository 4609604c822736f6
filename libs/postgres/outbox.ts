import { newId } from '#libs/ids.ts';
import { every, type Periodic } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';

const RELAY_INTERVAL_MS = 1_000;
const BATCH = 100;

/**
 * Writes events in the same transaction as what they tell of; the relay sends them after the commit. The table may also be
 * written to directly, with `copies` of an event that is to be sent several times.
 */
export async function writeOutbox(tx: Queryable, subject: string, ...payloads: Uint8Array[]): Promise<void> {
  if (payloads.length === 0) return;
  await tx.query(
    `insert into outbox (id, subject, payload)
     select id, $2, payload from unnest($1::text[], $3::bytea[]) as event (id, payload)`,
    [payloads.map(() => newId('evt')), subject, payloads.map((payload) => Buffer.from(payload))],
  );
}

/**
 * Sends what is in the schema's `outbox` table, oldest first, and removes it once JetStream has stored it: at least once,
 * and several replicas do not send the same at the same time. `trigger()` after a commit sends without waiting.
 */
export function relayOutbox(db: Database, events: Events, log: Logger): Periodic {
  return every(RELAY_INTERVAL_MS, log, async (signal) => {
    while (!signal.aborted && events.connected() && (await relayBatch(db, events)) === BATCH);
  });
}

async function relayBatch(db: Database, events: Events): Promise<number> {
  return db.transaction(async (tx) => {
    const rows = await tx.query<{ id: string; subject: string; payload: Buffer; copies: number }>(
      'select id, subject, payload, copies from outbox order by position limit $1 for update skip locked',
      [BATCH],
    );
    if (rows.length === 0) return 0;
    // Sent in order, without waiting for the answer to one before the next.
    await Promise.all(
      rows.flatMap(({ id, subject, payload, copies }) =>
        Array.from({ length: copies }, (_, copy) =>
          events.publishDurable(subject, payload, copy ? `${id}.${copy}` : id),
        ),
      ),
    );
    await tx.query('delete from outbox where id = any($1)', [rows.map(({ id }) => id)]);
    return rows.length;
  });
}
