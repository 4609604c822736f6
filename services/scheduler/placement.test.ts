import pino from 'pino';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import { choose, type Demand, place, reserve } from './placement.ts';

const log = pino({ level: 'silent' });
const demand = { template: 'python', memoryBytes: 100 };

const executor = (executorId: string, fields: Partial<ExecutorAnnounced> = {}) =>
  ExecutorAnnounced.create({ executorId, capacity: 10, freeMemoryBytes: 1000, warm: { python: 0 }, ...fields });

const none = new Set<ExecutorAnnounced>();
const first = (executors: ExecutorAnnounced[], wanted: Demand = demand) => choose(executors, wanted, none);
/** In the order in which they would be tried. */
function ids(executors: ExecutorAnnounced[]): string[] {
  const tried = new Set<ExecutorAnnounced>();
  for (let next = choose(executors, demand, tried); next; next = choose(executors, demand, tried)) tried.add(next);
  return [...tried].map(({ executorId }) => executorId);
}

test('room comes before warmth, and warmth before emptiness', () => {
  const full = executor('full', { sandboxes: 10, warm: { python: 5 } });
  const cold = executor('cold', { sandboxes: 1 });
  const empty = executor('empty');
  const warm = executor('warm', { sandboxes: 5, warm: { python: 1 } });
  expect(ids([full, cold, empty, warm])).toEqual(['warm', 'empty', 'cold', 'full']);
});

test('for an organisation with a pool of its own, only its own sandboxes are warm', () => {
  const shared = executor('shared', { warm: { python: 5 } });
  const theirs = executor('theirs', { ownWarm: [{ organizationId: 'org_theirs', warm: { python: 5 } }] });
  const other = executor('other', { ownWarm: [{ organizationId: 'org_ours', warm: { polyglot: 1 } }] });
  const ours = executor('ours', { sandboxes: 5, ownWarm: [{ organizationId: 'org_ours', warm: { python: 1 } }] });
  const executors = [shared, theirs, other, ours];
  const own = { ...demand, ownPoolOf: 'org_ours' };
  expect(first(executors, own)).toBe(ours);
  expect(first(executors)).toBe(shared);
  reserve(ours, own);
  expect(first(executors, own)).not.toBe(ours);
});

test('one that drains or lacks the template is no candidate', () => {
  expect(ids([executor('drains', { draining: true }), executor('other', { warm: { polyglot: 3 } })])).toEqual([]);
});

test('a burst spreads over executors before they announce themselves again', async () => {
  const executors = [executor('a'), executor('b')];
  const placed: string[] = [];
  for (let i = 0; i < 6; i++) await place(executors, demand, log, async ({ executorId }) => placed.push(executorId));
  expect(placed.filter((id) => id === 'a')).toHaveLength(3);
});

test('an executor that is full or gone is passed over', async () => {
  const tried: string[] = [];
  const placed = await place([executor('a'), executor('b')], demand, log, async ({ executorId }) => {
    tried.push(executorId);
    if (tried.length === 1) throw new DrydockError('SERVICE_UNAVAILABLE', 'gone');
    return executorId;
  });
  expect(tried).toHaveLength(2);
  expect(placed).toBe(tried[1]);
});

test('of thousands of executors that refuse, a request tries no more than it can wait for', async () => {
  const executors = Array.from({ length: 5_000 }, (_, i) => executor(`e${i}`, { sandboxes: 10 }));
  const tried: string[] = [];
  const refuse = async ({ executorId }: ExecutorAnnounced) => {
    tried.push(executorId);
    throw new DrydockError('NO_CAPACITY', 'full');
  };
  await expect(place(executors, demand, log, refuse)).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  expect(tried).toHaveLength(16);
  expect(new Set(tried).size).toBe(16);
});

test('schedulers that know nothing of each other choose different ones of equal executors', () => {
  const executors = Array.from({ length: 100 }, (_, i) => executor(`e${i}`));
  const chosen = Array.from({ length: 50 }, () => first(executors)?.executorId);
  expect(new Set(chosen).size).toBeGreaterThan(10);
});

test('when nothing fits, the caller hears when to try again', async () => {
  await expect(place([], demand, log, async () => {})).rejects.toMatchObject({
    reason: 'NO_CAPACITY',
    details: { retryAfterMs: 1000 },
  });
});

test('an error that another executor would not mend ends the search', async () => {
  const tried: string[] = [];
  const attempt = async ({ executorId }: ExecutorAnnounced) => {
    tried.push(executorId);
    throw new DrydockError('INVALID_FIELD', 'bad');
  };
  await expect(place([executor('a'), executor('b')], demand, log, attempt)).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
  });
  expect(tried).toHaveLength(1);
});

test('no other executor is tried for a caller whose deadline has passed', async () => {
  const deadline = new AbortController();
  const tried: string[] = [];
  const attempt = async ({ executorId }: ExecutorAnnounced) => {
    tried.push(executorId);
    deadline.abort(new DrydockError('DEADLINE_TOO_SHORT', 'passed'));
    throw deadline.signal.reason;
  };
  const placed = place([executor('a'), executor('b')], demand, log, attempt, deadline.signal);
  await expect(placed).rejects.toMatchObject({ reason: 'DEADLINE_TOO_SHORT' });
  expect(tried).toHaveLength(1);
});
