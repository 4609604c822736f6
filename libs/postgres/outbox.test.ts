import { jetstream, jetstreamManager } from '@nats-io/jetstream';
import { connect } from '@nats-io/transport-node';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { connectEvents } from '#libs/nats/events.ts';
import { API_KEY_REVOKED } from '#libs/nats/subjects.ts';
import { type Database, openDatabase } from '#libs/postgres/database.ts';
import { relayOutbox, writeOutbox } from '#libs/postgres/outbox.ts';
import { ApiKeyRevoked } from '#proto/drydock/internal/v1/events.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';

const log = pino({ level: 'silent' });
const { stream } = API_KEY_REVOKED;
let postgres: Postgres;
let nats: Nats;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
});
afterAll(async () => {
  await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

async function openOutbox(): Promise<Database & AsyncDisposable> {
  const db = openDatabase(await postgres.createDatabase(), 'public', log);
  await db.query(
    'create table outbox (id text primary key, subject text not null, payload bytea not null, copies int not null default 1, position bigint generated always as identity)',
  );
  return db;
}

function openEvents() {
  return connectEvents({ url: nats.url, name: 'test', log });
}

const revoked = (apiKeyId: string): ApiKeyRevoked => ({ apiKeyId, organizationId: '' });
const write = (db: Database, ...words: string[]) =>
  db.transaction((tx) => writeOutbox(tx, API_KEY_REVOKED, ...words.map(revoked)));

const waiting = async (db: Database) => (await db.query('select * from outbox')).length;

/** Everything that the stream has stored, oldest first; empties it. */
async function stored(): Promise<string[]> {
  const connection = await connect({ servers: nats.url });
  const manager = await jetstreamManager(connection);
  const { state } = await manager.streams.info(stream.name);
  const words: string[] = [];
  if (state.messages > 0) {
    const messages = await (await jetstream(connection).consumers.get(stream.name)).fetch({
      max_messages: state.messages,
    });
    for await (const message of messages) words.push(ApiKeyRevoked.decode(message.data).apiKeyId);
    await manager.streams.purge(stream.name);
  }
  await connection.close();
  return words;
}

test('what was committed arrives in order, what was rolled back never does', async () => {
  await using db = await openOutbox();
  await using events = openEvents();
  await using relay = relayOutbox(db, events, log);
  await write(db, 'one', 'two');
  const failing = db.transaction(async (tx) => {
    await writeOutbox(tx, API_KEY_REVOKED, revoked('never'));
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  await write(db, 'three');
  relay.trigger();
  await expect.poll(() => waiting(db), { timeout: 5_000 }).toBe(0);
  expect(await stored()).toEqual(['one', 'two', 'three']);
});

test('events wait while NATS is away and are sent when it is back', async () => {
  await using db = await openOutbox();
  await using events = openEvents();
  await expect.poll(events.connected).toBe(true);
  await using relay = relayOutbox(db, events, log);
  await nats.stop();
  await write(db, 'patient');
  relay.trigger();
  await expect.poll(events.connected).toBe(false);
  expect(await waiting(db)).toBe(1);
  await nats.start();
  await expect.poll(() => waiting(db), { timeout: 10_000 }).toBe(0);
  expect(await stored()).toEqual(['patient']);
});

test('several replicas send each event once', async () => {
  await using db = await openOutbox();
  await using events = openEvents();
  await expect.poll(events.connected).toBe(true);
  const words = Array.from({ length: 250 }, (_, i) => `event ${i}`);
  await write(db, ...words);
  const relays = Array.from({ length: 3 }, () => relayOutbox(db, events, log));
  await expect.poll(() => waiting(db), { timeout: 10_000 }).toBe(0);
  for (const relay of relays) await relay[Symbol.asyncDispose]();
  expect((await stored()).sort()).toEqual(words.sort());
});

test('an event that was sent but not removed is stored once', async () => {
  await using db = await openOutbox();
  await using events = openEvents();
  await expect.poll(events.connected).toBe(true);
  await write(db, 'once');
  const [row] = await db.query<{ id: string; payload: Buffer }>('select * from outbox');
  await events.publishDurable(API_KEY_REVOKED, ApiKeyRevoked.decode(row!.payload), row!.id);
  await using _relay = relayOutbox(db, events, log);
  await expect.poll(() => waiting(db), { timeout: 5_000 }).toBe(0);
  expect(await stored()).toEqual(['once']);
});
