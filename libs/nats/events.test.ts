import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { BYTES } from '#libs/nats/subjects.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Api, observeApi } from '../../test/support/nats-api.ts';

let nats: Nats;
let events: Events & AsyncDisposable;
let api: Api & Disposable;
let stream: string;

beforeAll(async () => {
  nats = await startNats();
});
afterAll(() => nats[Symbol.asyncDispose]());
beforeEach(async () => {
  events = connectEvents({ url: nats.url, name: 'test', log: createLogger('test') });
  await new Promise<void>((resolve) => void events.onConnect(resolve));
  api = observeApi(events.connection());
  stream = newId('evt').toUpperCase();
  return async () => {
    api[Symbol.dispose]();
    await events[Symbol.asyncDispose]();
  };
});

const event = () => ({
  subject: `test.${stream}.a`,
  stream: { name: stream, owner: 'auth' as const, subjects: [`test.${stream}.>`], maxAgeMs: 60_000 },
  codec: BYTES,
});
const publish = (messageId = newId('evt')) => events.publishDurable(event(), Buffer.from('x'), messageId);
const messages = async () => (await api.ask(`STREAM.INFO.${stream}`)).state.messages;
const asked = (what: string) => api.asked.filter((each) => each.includes(what));

test('a message is stored once, however often it is published', async () => {
  await publish('m');
  await publish('m');
  expect(await messages()).toBe(1);
});

test('a stream that NATS has lost is made again by the next message', async () => {
  await publish();
  await api.ask(`STREAM.DELETE.${stream}`);
  await publish();
  expect(await messages()).toBe(1);
});

test('a message that NATS does not answer for does not make the stream again', async () => {
  await publish();
  api.fail(/^test\./);
  api.asked.length = 0;
  await expect(publish()).rejects.toThrow('timeout');
  expect(api.asked).toEqual([event().subject]);
});

test('the stream is there before the first message, though a plain subscriber would take the message', async () => {
  using _plain = events.subscribe(event(), () => {});
  await publish();
  expect(await messages()).toBe(1);
});

test('no stream is made while NATS does not say whether there is one', async () => {
  api.fail(/STREAM\.INFO/);
  await expect(publish()).rejects.toThrow('timeout');
  expect(asked('STREAM.INFO')).toHaveLength(1);
  expect(asked('STREAM.CREATE')).toEqual([]);
  api.heal();
  await publish();
  expect(asked('STREAM.CREATE')).toHaveLength(1);
});

test('a wrong password is told with what to do about it, and is not logged', async () => {
  await using guarded = await startNats('--user', 'drydock', '--pass', 'the-right-one');
  const { host } = new URL(guarded.url);
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  const connectWith = (password: string) =>
    connectEvents({ url: `nats://drydock:${password}@${host}`, name: 'test', log });
  await using _refused = connectWith('a-wrong-one');
  await expect.poll(() => lines).toEqual([expect.stringContaining('check whose certificate TLS_DIR has, or user and')]);
  expect(lines.join('')).not.toMatch(/the-right-one|a-wrong-one/);
  await using right = connectWith('the-right-one');
  await expect.poll(right.connected).toBe(true);
});

test('what NATS forbids is told once on each connection', async () => {
  const directory = await mkdtemp(join(tmpdir(), 'drydock-nats-config-'));
  await using _directory = { [Symbol.asyncDispose]: () => rm(directory, { recursive: true }) };
  const config = join(directory, 'nats.conf');
  await writeFile(
    config,
    'no_auth_user: a\nauthorization { users: [{ user: a, permissions: { publish: { deny: [secret] } } }] }',
  );
  await using guarded = await startNats('-c', config);
  const lines: string[] = [];
  const log = pino({}, { write: (line) => void lines.push(line) });
  await using forbidden = connectEvents({ url: guarded.url, name: 'test', log });
  const told = () => lines.filter((line) => line.includes('NATS forbids')).length;
  const publish = async () => {
    forbidden.connection().publish('secret', '');
    await forbidden.connection().flush();
  };
  await expect.poll(forbidden.connected).toBe(true);
  await publish();
  await publish();
  await expect.poll(told).toBe(1);
  await forbidden.connection().reconnect();
  await expect.poll(() => lines.some((line) => line.includes('NATS is back'))).toBe(true);
  await publish();
  await expect.poll(told).toBe(2);
});

test('a consumer that is given up while it starts ends, at whatever moment', async () => {
  await publish();
  for (let turns = 0; turns < 30; turns++) {
    await using _ = events.consumeDurable(event(), { durable: `given-up-${turns}`, handle: async () => {} });
    for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve));
  }
});
