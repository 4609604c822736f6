import { CoordinationV1Api } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { ANY, sandboxEnded, sandboxesInherited } from '#libs/nats/subjects.ts';
import type { SandboxEnded, SandboxesInherited } from '#proto/drydock/internal/v1/events.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { POOL_NAMESPACE } from '../integration/executor/cluster.ts';
import { CALLER, python, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { collect, startedId, textOf } from '../support/api.ts';
import { connectCluster } from '../support/cluster.ts';
import { adminConfig, askBeforePods } from '../support/rights.ts';

// An executor is gone after 8 s of silence.
const WITHIN = { timeout: 40_000, interval: 100 };
const POOL = { floor: 1, ceiling: 1 };

const { core } = connectCluster();
const coordination = adminConfig().makeApiClient(CoordinationV1Api);
let first: TestExecutor;
let second: TestExecutor;
let events: ReturnType<typeof connectEvents>;
const inherited: SandboxesInherited[] = [];
const ended: SandboxEnded[] = [];

beforeAll(async () => {
  first = await startExecutor({ pool: POOL });
  second = await startExecutor({ pool: POOL, environment: { NATS_URL: first.nats.url } });
  events = connectEvents({ url: first.nats.url, name: 'test', log: createLogger('test') });
  events.subscribe(sandboxesInherited(ANY), (event) => inherited.push(event));
  events.subscribe(sandboxEnded(ANY), (event) => ended.push(event));
  await vi.waitUntil(() => events.connected(), WITHIN);
});
afterAll(async () => {
  await events[Symbol.asyncDispose]();
  await second[Symbol.asyncDispose]();
  await first[Symbol.asyncDispose]();
});

const printed = async (executor: TestExecutor, sandboxId: string, source: string) =>
  (await executor.command(sandboxId, python(source))).stdout;

/** A sandbox whose claim is noted on its pod. */
async function noted(executor: TestExecutor, fields: Partial<SandboxSpec> = {}): Promise<string> {
  const sandboxId = await executor.sandbox(fields);
  const labelSelector = `drydock.dev/sandbox=${sandboxId}`;
  await expect.poll(async () => (await core.listPodForAllNamespaces({ labelSelector })).items.length, WITHIN).toBe(1);
  return sandboxId;
}

/** Ids of the executors that have a lease. */
const leases = async () => {
  const { items } = await coordination.listNamespacedLease({ namespace: POOL_NAMESPACE });
  return items.map(({ metadata }) => metadata!.labels!['drydock.dev/executor']!);
};

test('what an executor left that is gone goes on at another one', async () => {
  await expect.poll(() => first.metric('executor_warm_sandboxes{'), WITHIN).toBe(1);
  const sandboxId = await noted(first);
  await first.writeFile(sandboxId, 'kept', 'as it was');
  const program = python('import time\nfor i in range(300): print(i, flush=True); time.sleep(0.1)');
  const processId = await startedId(first.start(sandboxId, program, { detached: true }));
  const { sandboxId: unconfirmed } = await first.claim();
  const before = await first.engine.list();
  await first.kill();
  const killedAt = Date.now();
  const [heirExecutorId, sandboxIds, lostTime] = [second.id, [sandboxId], expect.any(Date)];
  const told = { executorId: first.id, heirExecutorId, sandboxIds, lostTime };
  await expect.poll(() => inherited, WITHIN).toContainEqual(told);
  const event = inherited.find(({ executorId }) => executorId === first.id);
  expect(Math.abs(event!.lostTime!.getTime() - killedAt)).toBeLessThan(10_000);
  expect(await printed(second, sandboxId, 'print(open("kept").read())')).toBe('as it was\n');
  const request = { sandboxId, processId, stdoutOffset: 0, stderrOffset: 0 };
  const { stdout, exited } = await collect(second.processes.connectProcess(request, { caller: CALLER }));
  expect(stdout).toBe(Array.from({ length: 300 }, (_, i) => `${i}\n`).join(''));
  expect(exited.exitCode).toBe(0);
  // Nobody can say whose the others were, so nobody gets them.
  await expect.poll(() => first.engine.list(), WITHIN).toEqual([]);
  const kept = await second.engine.list();
  expect(before.filter((id) => kept.includes(id))).toEqual([await second.instanceOf(sandboxId)]);
  await expect(second.command(unconfirmed, ['true'])).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
  expect(await leases()).not.toContain(first.id);

  await first.restart();
  await expect(first.command(sandboxId, ['true'])).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
  // It has its files still, but the sandbox is another's: what it says of its end does not count, and it ends nothing.
  await expect.poll(() => first.metric('executor_warm_sandboxes{'), WITHIN).toBe(1);
  expect(await printed(second, sandboxId, 'print(1)')).toBe('1\n');
  await second.destroy(sandboxId);
});

test('an executor that was only asleep lets go of what another one has taken over, and ends nothing of it', async () => {
  const sandboxId = await noted(first);
  const program = python('import time\nfor i in range(600): print(i, flush=True); time.sleep(0.1)');
  inherited.length = 0;
  ended.length = 0;
  first.process().kill('SIGSTOP');
  await expect.poll(() => inherited.flatMap(({ sandboxIds }) => sandboxIds), WITHIN).toContain(sandboxId);
  first.process().kill('SIGCONT');
  for await (const { event } of second.start(sandboxId, program)) {
    if (event?.$case !== 'stdout' || !textOf(event.value).includes('30')) continue;
    break;
  }
  await expect(first.command(sandboxId, ['true'])).rejects.toMatchObject({ reason: 'SERVICE_UNAVAILABLE' });
  await expect.poll(() => first.metric('executor_sandboxes'), WITHIN).toBe(0);
  await expect.poll(leases, WITHIN).toEqual(expect.arrayContaining([first.id, second.id]));
  expect(await printed(second, sandboxId, 'print(2)')).toBe('2\n');
  expect(ended.filter((each) => each.sandboxId === sandboxId)).toEqual([]);
  await second.destroy(sandboxId);
});

test('one that slept past the end that it knows of ends nothing that lives on elsewhere', async () => {
  const expireTime = new Date(Date.now() + 25_000);
  const sandboxId = await noted(first, { expireTime });
  inherited.length = 0;
  first.process().kill('SIGSTOP');
  await expect.poll(() => inherited.flatMap(({ sandboxIds }) => sandboxIds), WITHIN).toContain(sandboxId);
  const later = { sandboxId, expireTime: new Date(Date.now() + 600_000) };
  await second.executor.extendSandbox(later, { caller: CALLER });
  await vi.waitUntil(() => Date.now() > expireTime.getTime(), WITHIN);
  first.process().kill('SIGCONT');
  await expect.poll(() => first.metric('executor_sandboxes'), WITHIN).toBe(0);
  expect(await printed(second, sandboxId, 'print(3)')).toBe('3\n');
  await expect.poll(leases, WITHIN).toEqual(expect.arrayContaining([first.id, second.id]));
  await second.destroy(sandboxId);
});

test('a pod that does not end keeps nobody from what else was left', async () => {
  const sandboxId = await noted(first);
  await expect.poll(() => first.metric('executor_warm_sandboxes{'), WITHIN).toBe(1);
  const own = await first.instanceOf(sandboxId);
  const held = (await first.engine.list()).find((instanceId) => instanceId !== own)!;
  const pod = { namespace: POOL_NAMESPACE, name: first.engine.nameOf(held) };
  const hold = (value: string[]) =>
    core.patchNamespacedPod({ ...pod, body: [{ op: 'add', path: '/metadata/finalizers', value }] });
  await hold(['test.drydock.dev/held']);
  inherited.length = 0;
  await first.kill();
  try {
    await expect.poll(() => inherited.flatMap(({ sandboxIds }) => sandboxIds), WITHIN).toContain(sandboxId);
    expect(await printed(second, sandboxId, 'print(4)')).toBe('4\n');
    expect(await second.engine.list()).toContain(held);
  } finally {
    await hold([]);
  }
  await expect.poll(() => second.engine.list(), WITHIN).not.toContain(held);
  await second.destroy(sandboxId);
  await first.restart();
});

test('a sandbox whose claim could not be noted before it was taken over is reported as lost by whom it was claimed', async () => {
  await expect.poll(() => first.metric('executor_warm_sandboxes{'), WITHIN).toBe(1);
  const { sandboxId } = await first.claim();
  const instance = await first.instanceOf(sandboxId);
  const pod = { namespace: POOL_NAMESPACE, name: first.engine.nameOf(instance) };
  {
    await using _refused = await askBeforePods('pods.inheritance.test', 'UPDATE', {
      objectSelector: { matchLabels: { 'drydock.dev/instance': instance } },
      // Nobody listens there.
      clientConfig: { url: 'https://127.0.0.1:1/' },
    });
    const isRefused = () =>
      core.patchNamespacedPod({ ...pod, body: [], dryRun: 'All' }).then(
        () => false,
        () => true,
      );
    await expect.poll(isRefused, WITHIN).toBe(true);
    await first.executor.confirmSandbox({ sandboxId }, { caller: CALLER });
    first.process().kill('SIGSTOP');
  }
  ended.length = 0;
  inherited.length = 0;
  await expect.poll(() => inherited.map(({ executorId }) => executorId), WITHIN).toContain(first.id);
  expect(inherited.flatMap(({ sandboxIds }) => sandboxIds)).not.toContain(sandboxId);
  await expect.poll(() => second.engine.list(), WITHIN).not.toContain(instance);
  first.process().kill('SIGCONT');
  const lost = { sandboxId, organizationId: CALLER.organizationId, executorId: first.id, reason: 'HOST_LOST' };
  await expect.poll(() => ended, WITHIN).toContainEqual(lost);
  await expect(first.command(sandboxId, ['true'])).rejects.toMatchObject({ reason: 'SERVICE_UNAVAILABLE' });
  await expect.poll(leases, WITHIN).toEqual(expect.arrayContaining([first.id, second.id]));
});

test('an executor that leaves nothing behind leaves no lease either', async () => {
  await first.stop();
  expect(await leases()).not.toContain(first.id);
  expect(await leases()).toContain(second.id);
});
