import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { BYTES, type WorkSubjects, workEvent } from '#libs/nats/subjects.ts';
import { openWorkQueue, type WorkQueue } from '#libs/nats/work-queue.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Api, observeApi } from '../../test/support/nats-api.ts';

const { signal } = new AbortController();

let nats: Nats;
let events: Events & AsyncDisposable;
let api: Api & Disposable;
let queue: WorkQueue<Uint8Array>;
let subjects: WorkSubjects<Uint8Array>;

beforeAll(async () => {
  nats = await startNats();
  events = connectEvents({ url: nats.url, name: 'test', log: createLogger('test') });
  await new Promise<void>((resolve) => void events.onConnect(resolve));
});
afterAll(async () => {
  await events[Symbol.asyncDispose]();
  await nats[Symbol.asyncDispose]();
});
beforeEach(() => {
  const id = newId('evt').toUpperCase();
  const prefix = `test.${id}`;
  const stream = { name: id, owner: 'auth' as const, subjects: [`${prefix}.*`], workQueue: true };
  subjects = { prefix, stream, codec: BYTES, ackWaitMs: 15_000 };
  queue = openWorkQueue(events, subjects);
  api = observeApi(events.connection());
  return () => api[Symbol.dispose]();
});

const send = (token: string) => events.publishDurable(workEvent(subjects, token), Buffer.from('x'), newId('evt'));
/** Makes the stream and a consumer with this limit, and leaves a message. */
const fill = async (token: string, concurrency: number) => {
  await queue.depths();
  await send(token);
  const work = await queue.next(token, concurrency, signal);
  work!.nak(0);
};
const concurrencyOf = async (token: string) =>
  (await api.ask(`CONSUMER.INFO.${subjects.stream.name}.${token}`)).config.max_ack_pending;

test('each message is worked on once, as many of a subject at one time as are wanted', async () => {
  await queue.depths();
  for (let i = 0; i < 3; i++) await send('a');
  const [first, second] = [await queue.next('a', 2, signal), await queue.next('a', 2, signal)];
  expect(await queue.depths()).toEqual(new Map([['a', 3]]));
  first!.ack();
  const third = await queue.next('a', 2, signal);
  second!.ack();
  third!.ack();
  await expect.poll(() => queue.depths()).toEqual(new Map());
});

test('a stream that NATS has lost is made again', async () => {
  await queue.depths();
  await api.ask(`STREAM.DELETE.${subjects.stream.name}`);
  expect(await queue.depths()).toEqual(new Map());
  await send('a');
  expect(await queue.next('a', 1, signal)).toBeDefined();
});

describe('while NATS does not say', () => {
  test('how many may be out at one time, that is left as it is', async () => {
    await fill('a', 5);
    const other = openWorkQueue(events, subjects);
    api.fail(/CONSUMER\.INFO/);
    await expect(other.next('a', undefined, signal)).rejects.toThrow('timeout');
    await expect(other.next('a', 7, signal)).rejects.toThrow('timeout');
    expect(api.asked.filter((subject) => subject.includes('CONSUMER.CREATE'))).toHaveLength(1);
    api.heal();
    expect(await concurrencyOf('a')).toBe(5);
    expect(await other.next('a', undefined, signal)).toBeDefined();
    expect(await concurrencyOf('a')).toBe(5);
  });

  test('whether anybody has had a message, its depth is not guessed', async () => {
    await fill('a', 5);
    api.fail(/CONSUMER\.INFO/);
    await expect(queue.depths()).rejects.toThrow('timeout');
  });

  test('whether there is a stream, none is made', async () => {
    api.fail(/STREAM\.INFO/);
    await expect(queue.depths()).rejects.toThrow('timeout');
    expect(api.asked.filter((subject) => subject.includes('STREAM.CREATE'))).toEqual([]);
  });
});
