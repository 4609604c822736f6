import { newId } from '#libs/ids.ts';
import { every, type Periodic } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { encode, encodedEvent, type StoredEvent } from '#libs/nats/subjects.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';

const RELAY_INTERVAL_MS = 1_000;
const BATCH = 100;

/**
 * Writes events in the transaction of the rows that they report; the relay sends them after the commit. The table may also
 * be written to directly, with `copies` of an event that is to be sent several times.
 */
export async function writeOutbox<T>(tx: Queryable, event: StoredEvent<T>, ...messages: T[]): Promise<void> {
  if (messages.length === 0) return;
  await tx.query(
    `insert into outbox (id, subject, payload)
     select id, $2, payload from unnest($1::text[], $3::bytea[]) as event (id, payload)`,
    [messages.map(() => newId('evt')), event.subject, messages.map((message) => encode(event, message))],
  );
}

/**
 * Sends the events of the schema's `outbox` table, oldest first, and removes each once JetStream has stored it: at least
 * once, and several replicas do not send the same one at the same time. `trigger()` after a commit sends without waiting.
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
    // In order, without awaiting the answer to one before the next is sent.
    await Promise.all(
      rows.flatMap(({ id, subject, payload, copies }) =>
        Array.from({ length: copies }, (_, copy) =>
          events.publishDurable(encodedEvent(subject), payload, copy ? `${id}.${copy}` : id),
        ),
      ),
    );
    await tx.query('delete from outbox where id = any($1)', [rows.map(({ id }) => id)]);
    return rows.length;
  });
}
