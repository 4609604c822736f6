import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import { API_KEY_REVOKED, type Event, ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import { type Dependencies, watchRevocations } from './revocations.ts';

const REVOKED = { reason: 'CREDENTIAL_INVALID', message: 'the API key was revoked' };
const DELETED = { reason: 'CREDENTIAL_INVALID', message: 'the organisation was deleted' };
const MINUTE_MS = 60_000;

const newCaller = () => ({ apiKeyId: newId('key'), organizationId: newId('org') });

/** Revocations of an auth that answers as it is told to, and the events of a NATS that is there or not. */
function watch(answer: (withinMs: number) => string[][] = () => []) {
  const handlers = new Map<unknown, (message: never) => unknown>();
  const clock = { now: 0 };
  const asked: number[] = [];
  const credentials: Dependencies['credentials'] = {
    async *listRevocations({ withinMs }) {
      asked.push(withinMs);
      for (const ids of answer(withinMs)) yield { ids };
    },
  };
  const events: Dependencies['events'] = {
    subscribe(event, handle) {
      handlers.set(event, (message) => handle(message, event.subject));
      return { [Symbol.dispose]: () => void handlers.delete(event) };
    },
  };
  const log = pino({ level: 'silent' });
  const revocations = watchRevocations({ credentials, events, log, now: () => clock.now, readIntervalMs: 10 });
  const tell = <T>(event: Event<T>, message: T) => handlers.get(event)?.(message as never);
  return {
    revocations,
    clock,
    asked,
    revoke: (apiKeyId: string) => tell(API_KEY_REVOKED, { apiKeyId, organizationId: '' }),
    remove: (organizationId: string) => tell(ORGANIZATION_DELETED, { organizationId }),
    [Symbol.asyncDispose]: () => revocations[Symbol.asyncDispose](),
  };
}

test('a revocation and a deletion end the calls that there are, and no other begins', async () => {
  await using watched = watch();
  const [first, second, third] = [newCaller(), newCaller(), newCaller()];
  using one = watched.revocations.begin(first);
  using two = watched.revocations.begin(second);
  using three = watched.revocations.begin(third);
  watched.revoke(first.apiKeyId);
  watched.remove(second.organizationId);
  expect(one.signal.reason).toMatchObject(REVOKED);
  expect(two.signal.reason).toMatchObject(DELETED);
  expect(() => watched.revocations.begin(first)).toThrow(expect.objectContaining(REVOKED));
  expect(() => watched.revocations.begin(second)).toThrow(expect.objectContaining(DELETED));
  expect(three.signal.aborted).toBe(false);
});

test('of an organisation that is deleted, it is said that it was, though its keys are revoked as well', async () => {
  const caller = newCaller();
  await using watched = watch(() => [[caller.apiKeyId, caller.organizationId]]);
  await expect.poll(() => watched.revocations.known()).toBe(true);
  expect(() => watched.revocations.begin(caller)).toThrow(expect.objectContaining(DELETED));
});

test('one is remembered for as long as a token lives, whatever others revoke, and then no longer', async () => {
  await using watched = watch();
  const victim = newCaller();
  watched.revoke(victim.apiKeyId);
  for (let n = 0; n < 150_000; n++) watched.revoke(`key_${n}`);
  watched.clock.now = 15 * MINUTE_MS;
  expect(() => watched.revocations.begin(victim)).toThrow(expect.objectContaining(REVOKED));
  watched.clock.now = 20 * MINUTE_MS;
  watched.revoke('key_next');
  using _call = watched.revocations.begin(victim);
});

describe('without NATS', () => {
  test('auth tells of what was revoked before this process started, and of what is revoked later', async () => {
    const [before, later] = [newCaller(), newCaller()];
    const ids = [before.apiKeyId];
    await using watched = watch(() => [ids]);
    expect(watched.revocations.known()).toBe(false);
    await expect.poll(() => watched.revocations.known()).toBe(true);
    expect(watched.asked[0]).toBe(20 * MINUTE_MS);
    expect(() => watched.revocations.begin(before)).toThrow(expect.objectContaining(REVOKED));
    using call = watched.revocations.begin(later);
    ids.push(later.apiKeyId);
    await expect.poll(() => call.signal.aborted).toBe(true);
  });

  test('it is asked about all since it last answered, and whatever may have been on its way', async () => {
    let away = true;
    await using watched = watch(() => {
      if (away) throw new DrydockError('SERVICE_UNAVAILABLE', 'away');
      return [];
    });
    await expect.poll(() => watched.asked.length).toBeGreaterThan(1);
    expect(watched.revocations.known()).toBe(false);
    expect(new Set(watched.asked)).toEqual(new Set([20 * MINUTE_MS]));
    away = false;
    await expect.poll(() => watched.asked.at(-1)).toBe(MINUTE_MS);
    expect(watched.revocations.known()).toBe(true);
    away = true;
    watched.clock.now = 5 * MINUTE_MS;
    await expect.poll(() => watched.asked.at(-1)).toBe(6 * MINUTE_MS);
  });
});
