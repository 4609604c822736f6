import { rm } from 'node:fs/promises';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { POOL_NAMESPACE } from '../integration/executor/cluster.ts';
import { CALLER, python, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { connectCluster } from '../support/cluster.ts';
import { askBeforePods } from '../support/rights.ts';

const WITHIN = { timeout: 20_000, interval: 100 };

const { core } = connectCluster();
let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 1, ceiling: 1 } });
});
afterAll(() => executor[Symbol.asyncDispose]());

const warm = () => executor.metric('executor_warm_sandboxes{');

/** Names of the pods that are labelled with a sandbox of the organisation. */
const podsOf = async (sandboxId: string) => {
  const labelSelector = `drydock.dev/organization=${CALLER.organizationId},drydock.dev/sandbox=${sandboxId}`;
  const { items } = await core.listPodForAllNamespaces({ labelSelector });
  return items.map(({ metadata }) => metadata!.name);
};

test('an executor that comes back without its files knows whose its pods are', async () => {
  await expect.poll(warm, WITHIN).toBe(1);
  const sandboxId = await executor.sandbox({ environment: { OWNER: 'us' } });
  await expect.poll(() => podsOf(sandboxId), WITHIN).toHaveLength(1);
  const [pod] = await podsOf(sandboxId);
  await expect.poll(warm, WITHIN).toBe(1);
  const unconfirmed = await executor.claim();
  expect(unconfirmed.warm).toBe(true);
  const before = await executor.engine.list();

  await executor.kill();
  await rm(executor.dataDirectory, { recursive: true });
  await executor.restart();

  const { stdout } = await executor.command(sandboxId, python('import os; print(os.environ["OWNER"])'));
  expect(stdout).toBe('us\n');
  expect(await podsOf(sandboxId)).toEqual([pod]);
  // Of the other ones nobody can say whose they were, so nobody gets them.
  await expect.poll(warm, WITHIN).toBe(1);
  const after = await executor.engine.list();
  expect(before.filter((id) => after.includes(id)).map(executor.engine.nameOf)).toEqual([pod]);
  await expect(executor.command(unconfirmed.sandboxId, ['true'])).rejects.toMatchObject({
    reason: 'SANDBOX_NOT_FOUND',
  });
  await executor.destroy(sandboxId);
  expect(await podsOf(sandboxId)).toEqual([]);
});

test('a pod on which nothing can be noted keeps no other from it', async () => {
  await expect.poll(warm, WITHIN).toBe(1);
  const { sandboxId: refused } = await executor.claim();
  const instance = await executor.instanceOf(refused);
  {
    await using _refused = await askBeforePods('pods.notes.test', 'UPDATE', {
      objectSelector: { matchLabels: { 'drydock.dev/instance': instance } },
      // Nobody listens there.
      clientConfig: { url: 'https://127.0.0.1:1/' },
    });
    const tried = { namespace: POOL_NAMESPACE, name: executor.engine.nameOf(instance), dryRun: 'All' };
    const asked = () =>
      core.patchNamespacedPod({ ...tried, body: [] }).then(
        () => 'done',
        ({ code }) => code,
      );
    await expect.poll(asked, WITHIN).toBe(500);

    await executor.executor.confirmSandbox({ sandboxId: refused }, { caller: CALLER });
    const other = await executor.sandbox();
    await expect.poll(() => podsOf(other), WITHIN).toHaveLength(1);
    expect(await podsOf(refused)).toEqual([]);
    await executor.destroy(other);
  }
  await expect.poll(() => podsOf(refused), WITHIN).toHaveLength(1);
  await executor.destroy(refused);
});

test('a pod that does not end keeps no executor from starting', async () => {
  await expect.poll(warm, WITHIN).toBe(1);
  const [held] = await executor.engine.list();
  const pod = { namespace: POOL_NAMESPACE, name: executor.engine.nameOf(held!) };
  const hold = (value: string[]) =>
    core.patchNamespacedPod({ ...pod, body: [{ op: 'add', path: '/metadata/finalizers', value }] });
  await hold(['test.drydock.dev/held']);
  await executor.kill();
  try {
    // An executor waits for 30 s until a pod that it deletes is gone.
    const began = performance.now();
    await executor.restart();
    expect(performance.now() - began).toBeLessThan(25_000);
    expect((await core.readNamespacedPod(pod)).metadata!.deletionTimestamp).toBeDefined();
  } finally {
    await hold([]);
  }
  const gone = () =>
    core.readNamespacedPod(pod).then(
      () => false,
      ({ code }) => code === 404,
    );
  await expect.poll(gone, WITHIN).toBe(true);
});
