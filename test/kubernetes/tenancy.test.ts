import { NetworkingV1Api, PatchStrategy, setHeaderOptions, type V1Pod } from '@kubernetes/client-node';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { namespaceOf as namespaceIn, USED_ANNOTATION } from '../../services/executor/backends/kubernetes/namespace.ts';
import { namespaceOf, POOL_NAMESPACE } from '../integration/executor/cluster.ts';
import { CALLER, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { connectCluster } from '../support/cluster.ts';
import { adminConfig } from '../support/rights.ts';

const WITHIN = { timeout: 30_000, interval: 100 };
// What is kept is looked after every minute.
const KEPT_WITHIN = { timeout: 90_000, interval: 500 };
const QUOTA = 'organization';
const POLICY = 'nothing-in-nothing-out';

const cluster = connectCluster();
const { core } = cluster;
const networking = adminConfig().makeApiClient(NetworkingV1Api);
let executor: TestExecutor;

beforeAll(async () => {
  const environment = { KUBERNETES_NAMESPACE_IDLE_SECONDS: '5' };
  executor = await startExecutor({ pool: { floor: 1, ceiling: 2 }, environment });
});
afterAll(() => executor[Symbol.asyncDispose]());

/** An organisation that shares no pool. */
function apart(sandboxes = 3, at = executor) {
  const organizationId = newId('org');
  const caller: Caller = { ...CALLER, organizationId };
  return {
    organizationId,
    namespace: namespaceOf(organizationId),
    caller,
    claim: () => at.claim({ organizationId, tenancy: { sharedPool: false, sandboxes, executions: 0 } }),
    confirm: (sandboxId: string) => at.executor.confirmSandbox({ sandboxId }, { caller }),
  };
}

const podsIn = async (namespace: string): Promise<V1Pod[]> => {
  const { items } = await core.listNamespacedPod({ namespace });
  return items.filter(({ metadata }) => !metadata?.deletionTimestamp);
};

const isRemoved = async (namespace: string): Promise<boolean> =>
  core.readNamespace({ name: namespace }).then(
    ({ metadata }) => metadata?.deletionTimestamp !== undefined,
    (error) => error.code === 404,
  );

test('an organisation that shares no pool has its own, in a namespace of its own', async () => {
  const ours = apart();
  const first = await ours.claim();
  expect(first.warm).toBe(false);
  // The one that it has, and one that waits for its next.
  await expect.poll(async () => (await podsIn(ours.namespace)).length, WITHIN).toBe(2);
  await expect.poll(() => executor.metric('executor_own_warm_sandboxes{'), WITHIN).toBe(1);
  const second = await ours.claim();
  expect(second.warm).toBe(true);
  const theirs = apart();
  expect((await theirs.claim()).warm).toBe(false);
  const owners = (await podsIn(POOL_NAMESPACE)).map(({ metadata }) => metadata?.labels?.['drydock.dev/organization']);
  expect(owners.filter(Boolean)).toEqual([]);
});

test('its namespace bounds it by its quota, whatever an executor does', async () => {
  const ours = apart(2);
  await ours.claim();
  const { spec } = await core.readNamespacedResourceQuota({ namespace: ours.namespace, name: QUOTA });
  expect(spec?.hard).toMatchObject({ pods: '4', services: '0', secrets: '0', persistentvolumeclaims: '0' });
  const { spec: limits } = await core.readNamespacedLimitRange({ namespace: ours.namespace, name: QUOTA });
  expect(limits?.limits[0]).toMatchObject({ type: 'Container', max: { memory: '8589934592', cpu: '16' } });
  const { metadata } = await core.readNamespace({ name: ours.namespace });
  expect(metadata?.labels).toMatchObject({
    'pod-security.kubernetes.io/enforce': 'restricted',
    'drydock.dev/organization': ours.organizationId,
  });
  await Promise.all([ours.claim(), ours.claim()]);
  const beyond = Promise.all([ours.claim(), ours.claim(), ours.claim()]);
  await expect(beyond).rejects.toMatchObject({
    reason: 'NO_CAPACITY',
    message: expect.stringMatching(/exceeded quota: organization/),
  });
  const raised = { organizationId: ours.organizationId, tenancy: { sharedPool: false, sandboxes: 8, executions: 0 } };
  await executor.claim(raised);
  // With the next pod that is made: where one was warm for it, that is the one after.
  const podsNow = async () =>
    (await core.readNamespacedResourceQuota({ namespace: ours.namespace, name: QUOTA })).spec?.hard?.pods;
  await expect.poll(podsNow, WITHIN).toBe('16');
});

test('what is made for an organisation that shares the pool is in its own namespace, too', async () => {
  const organizationId = newId('org');
  const { warm } = await executor.claim({ organizationId }, { diskBytes: 32 * 1024 * 1024 });
  expect(warm).toBe(false);
  expect(await podsIn(namespaceOf(organizationId))).toHaveLength(1);
});

test('an organisation that is deleted leaves nothing', async () => {
  const ours = apart();
  const { sandboxId } = await ours.claim();
  await ours.confirm(sandboxId);
  await expect.poll(async () => (await podsIn(ours.namespace)).length, WITHIN).toBe(2);
  await using events = connectEvents({ url: executor.nats.url, name: 'auth', log: createLogger('test') });
  await expect.poll(() => events.connected(), WITHIN).toBe(true);
  const event = { organizationId: ours.organizationId };
  await events.publishDurable(ORGANIZATION_DELETED, event, newId('evt'));
  await expect.poll(() => isRemoved(ours.namespace), WITHIN).toBe(true);
  await expect.poll(() => podsIn(ours.namespace), WITHIN).toEqual([]);
  const call = executor.processes.listProcesses({ sandboxId }, { caller: ours.caller });
  await expect(call).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});

test('an organisation that is deleted while the API server is away leaves nothing either', async () => {
  // That keeps namespaces for long where nothing else is said.
  await using patient = await startExecutor({ pool: { floor: 0, ceiling: 2 } });
  const ours = apart(3, patient);
  const { sandboxId } = await ours.claim();
  await ours.confirm(sandboxId);
  await expect.poll(async () => (await podsIn(ours.namespace)).length, WITHIN).toBe(2);
  await using events = connectEvents({ url: patient.nats.url, name: 'auth', log: createLogger('test') });
  await expect.poll(() => events.connected(), WITHIN).toBe(true);
  const call = () =>
    patient.processes.listProcesses({ sandboxId }, { caller: ours.caller }).then(
      () => 'answered',
      ({ reason }) => reason,
    );
  await cluster.stop('kube-apiserver');
  try {
    const event = { organizationId: ours.organizationId };
    await events.publishDurable(ORGANIZATION_DELETED, event, newId('evt'));
    await expect.poll(call, WITHIN).toBe('SANDBOX_NOT_FOUND');
  } finally {
    await cluster.start('kube-apiserver');
  }
  const isGone = () => cluster.isGone(ours.namespace).catch(() => false);
  await expect.poll(isGone, { timeout: 60_000, interval: 200 }).toBe(true);
}, 120_000);

test('a namespace is kept as it was made while it is used, and removed when it holds nothing for a while', async () => {
  const [used, left] = [apart(), apart()];
  await used.confirm((await used.claim()).sandboxId);
  const { sandboxId } = await left.claim();
  await executor.destroy(sandboxId);
  await networking.deleteNamespacedNetworkPolicy({ namespace: used.namespace, name: POLICY });
  await core.deleteNamespacedLimitRange({ namespace: used.namespace, name: QUOTA });
  const kept = () => networking.readNamespacedNetworkPolicy({ namespace: used.namespace, name: POLICY });
  await expect.poll(kept, KEPT_WITHIN).toMatchObject({ spec: { policyTypes: ['Ingress', 'Egress'] } });
  await expect
    .poll(() => core.readNamespacedLimitRange({ namespace: used.namespace, name: QUOTA }), WITHIN)
    .toBeTruthy();
  // The one that waited for it first, and then the namespace.
  await expect.poll(() => isRemoved(left.namespace), { ...KEPT_WITHIN, timeout: 200_000 }).toBe(true);
  expect(await isRemoved(used.namespace)).toBe(false);
}, 300_000);

test('how long a namespace has held nothing outlives its executor', async () => {
  const prefix = 'drydock-idle';
  const environment = { KUBERNETES_NAMESPACE_PREFIX: prefix };
  const inIdle = (organizationId: string) => ({ organizationId, namespace: namespaceIn(prefix, organizationId) });
  const [old, recent] = [inIdle(newId('org')), inIdle(newId('org'))];
  await using undo = new AsyncDisposableStack();
  for (const name of [recent.namespace, `${prefix}-pool`])
    undo.defer(async () => void (await core.deleteNamespace({ name })));
  await using patient = await startExecutor({ pool: { floor: 0, ceiling: 0 }, environment });
  for (const { organizationId } of [old, recent]) {
    const { sandboxId } = await patient.claim({
      organizationId,
      tenancy: { sharedPool: false, sandboxes: 3, executions: 0 },
    });
    await patient.destroy(sandboxId);
  }
  await patient.stop();
  const usedTime = async (namespace: string) =>
    (await core.readNamespace({ name: namespace })).metadata?.annotations?.[USED_ANNOTATION];
  expect(Date.now() - Date.parse((await usedTime(recent.namespace)) ?? '')).toBeLessThan(120_000);
  const annotations = { [USED_ANNOTATION]: new Date(Date.now() - 2 * 86_400_000).toISOString() };
  const merging = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  await core.patchNamespace({ name: old.namespace, body: { metadata: { annotations } } }, merging);
  await patient.restart();
  await expect.poll(() => isRemoved(old.namespace), KEPT_WITHIN).toBe(true);
  expect(await isRemoved(recent.namespace)).toBe(false);
}, 120_000);

test('one that somebody removed is made again', async () => {
  const ours = apart();
  await executor.destroy((await ours.claim()).sandboxId);
  await core.deleteNamespace({ name: ours.namespace });
  await expect.poll(() => cluster.isGone(ours.namespace), { timeout: 60_000, interval: 200 }).toBe(true);
  await ours.claim();
  expect((await podsIn(ours.namespace)).length).toBeGreaterThan(0);
});
