import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { ANY, executorAnnounced } from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import { NEEDS_ENGINE } from './backend-under-test.ts';
import { CALLER, STRANGER, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 5 } });
});

afterAll(() => executor[Symbol.asyncDispose]());

const warm = () => executor.metric('executor_warm_sandboxes{');
/** What it says of itself next. */
async function announced(): Promise<ExecutorAnnounced> {
  await using events = connectEvents({ url: executor.nats.url, name: 'test', log: createLogger('test') });
  return await new Promise((resolve) => {
    events.subscribe(executorAnnounced(ANY), resolve);
  });
}

test('it fills to its floor and no further', async () => {
  await expect.poll(warm, { timeout: 20_000 }).toBe(2);
  expect((await executor.engine.list()).length).toBe(2);
});

test('a warm instance that dies is replaced, and never claimed', async () => {
  const [victim] = await executor.engine.list();
  await executor.engine.kill(victim!);
  const ids = await Promise.all([executor.sandbox(), executor.sandbox(), executor.sandbox()]);
  for (const sandboxId of ids) expect((await executor.command(sandboxId, ['echo', 'alive'])).stdout).toBe('alive\n');
  await Promise.all(ids.map((sandboxId) => executor.destroy(sandboxId)));
  await expect.poll(() => executor.engine.list()).not.toContain(victim);
});

test('it grows with demand to its ceiling, and shrinks to its floor without', async ({ skip }) => {
  if (NEEDS_ENGINE) skip('a node of two cores ends and makes pods more slowly than demand is forgotten');
  let most = 0;
  for (let round = 0; round < 12; round++) {
    const ids = await Promise.all(Array.from({ length: 4 }, () => executor.sandbox()));
    await Promise.all(ids.map((sandboxId) => executor.destroy(sandboxId)));
    most = Math.max(most, await warm());
  }
  await expect.poll(async () => Math.max(most, await warm()), { timeout: 10_000 }).toBe(5);
  await expect.poll(warm, { timeout: 30_000, interval: 500 }).toBe(2);
  await expect.poll(async () => (await executor.engine.list()).length).toBe(2);
});

test('an organisation without a shared pool gets none of it, and soon has a warm one reserved', async () => {
  await expect.poll(warm, { timeout: 20_000 }).toBe(2);
  const tenancy = { sharedPool: false, sandboxes: 10, executions: 0 };
  const before = await executor.engine.list();
  const first = await executor.claim({ tenancy });
  expect(first.warm).toBe(false);
  expect(before).not.toContain(await executor.instanceOf(first.sandboxId));
  await expect.poll(() => executor.metric('executor_own_warm_sandboxes{'), { timeout: 20_000 }).toBe(1);
  const own = { organizationId: CALLER.organizationId, warm: { python: 1 } };
  await expect.poll(async () => (await announced()).ownWarm, { timeout: 20_000 }).toEqual([own]);
  const second = await executor.claim({ tenancy });
  expect(second.warm).toBe(true);
  const stranger = await executor.claim({ tenancy, organizationId: STRANGER.organizationId });
  expect(stranger.warm).toBe(false);
  await Promise.all([first, second, stranger].map(({ sandboxId }) => executor.destroy(sandboxId)));
});

test('reserved instances never take more capacity than the executor has', async () => {
  await using small = await startExecutor({
    pool: { floor: 0, ceiling: 2 },
    environment: { EXECUTOR_MAX_SANDBOXES: '3' },
  });
  const own = () => small.metric('executor_own_warm_sandboxes{');
  for (let each = 1; each <= 5; each++) {
    const tenancy = { sharedPool: false, sandboxes: 10, executions: 0 };
    const { sandboxId } = await small.claim({ organizationId: newId('org'), tenancy });
    await small.destroy(sandboxId);
    await expect.poll(own, { timeout: 20_000 }).toBe(Math.min(each, 3));
  }
  expect(await small.engine.list()).toHaveLength(3);
});
