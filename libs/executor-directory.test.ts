import { once } from 'node:events';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { watchExecutors } from '#libs/executor-directory.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { BYTES, EXECUTORS_DISCOVER, executorAnnounced } from '#libs/nats/subjects.ts';
import { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import { type Nats, startNats } from '../test/support/nats.ts';

const log = pino({ level: 'silent' });
const ADDRESS = '127.0.0.1:7004';
const ROUND_TRIP = { subject: 'test.round.trip', codec: BYTES };
let nats: Nats;
beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats[Symbol.asyncDispose]());

async function connected(name: string): Promise<Events & AsyncDisposable> {
  const events = connectEvents({ url: nats.url, name, log });
  const target = new EventTarget();
  events.onConnect(() => target.dispatchEvent(new Event('up')));
  if (!events.connected()) await once(target, 'up');
  return events;
}

/** NATS has taken notice of every subscription made before. */
async function roundTrip(events: Events): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  using _back = events.subscribe(ROUND_TRIP, () => resolve());
  // Subscribing waits for the connection, a turn at least.
  await Promise.resolve();
  events.publish(ROUND_TRIP, new Uint8Array());
  await promise;
}

const announce = (events: Events, executorId: string, cluster = '') =>
  events.publish(executorAnnounced(executorId), { ...NOBODY, executorId, address: ADDRESS, cluster });
const NOBODY = ExecutorAnnounced.create();

test('an executor that was not heard of yet is asked for, once however many wait for it', async () => {
  await using ours = await connected('directory');
  await using theirs = await connected('executor');
  using directory = watchExecutors(ours);
  // The directory's own question at its start is over before there is an executor.
  await roundTrip(ours);
  expect(directory.list()).toEqual([]);
  let asked = 0;
  using _answers = theirs.subscribe(EXECUTORS_DISCOVER, () => {
    asked++;
    announce(theirs, 'one');
  });
  await roundTrip(theirs);
  expect(await Promise.all([directory.addressOf('one'), directory.addressOf('one')])).toEqual([ADDRESS, ADDRESS]);
  expect(asked).toBe(1);
});

test('an executor that does not answer is nowhere, a second later', async () => {
  await using ours = await connected('directory');
  using directory = watchExecutors(ours);
  const started = performance.now();
  expect(await directory.addressOf('nobody')).toBeUndefined();
  expect(performance.now() - started).toBeLessThan(3_000);
});

test('an executor that falls silent is lost, once, with what it announced last', async () => {
  await using ours = await connected('directory');
  await using theirs = await connected('executor');
  const lost: string[] = [];
  let now = 0;
  using directory = watchExecutors(ours, () => now);
  using _lost = directory.onLost(({ executorId, cluster }) => lost.push(`${executorId} of ${cluster}`));
  await roundTrip(ours);
  announce(theirs, 'two', 'a cluster');
  await expect.poll(() => directory.list().map(({ executorId }) => executorId)).toEqual(['two']);
  now = 5_000;
  expect(await directory.addressOf('two')).toBe(ADDRESS);
  now = 7_000;
  await expect.poll(() => lost, { timeout: 3_000 }).toEqual(['two of a cluster']);
  expect(directory.list()).toEqual([]);
});

test('a burst of heartbeats is told of a few times, the last time when all are known', async () => {
  await using ours = await connected('directory');
  await using theirs = await connected('executor');
  using directory = watchExecutors(ours);
  const known: number[] = [];
  using _told = directory.onAnnounced(() => known.push(directory.list().length));
  await roundTrip(ours);
  for (let i = 0; i < 1_000; i++) announce(theirs, `e${i}`);
  await expect.poll(() => known.at(-1)).toBe(1_000);
  expect(known.length).toBeLessThan(500);
  expect(directory.known('e7')?.address).toBe(ADDRESS);
});
