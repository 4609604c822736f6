import type { V1Pod } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import type { InstancePlan } from '../backend.ts';
import { createPod, type InstancePods } from './instance-pods.ts';

const limits = { memoryBytes: 64, processes: 8, diskBytes: 64, cpus: 1 };
const plan = { instanceId: 'ins_1', template: 'python', image: 'python', limits } as InstancePlan;
const running = { status: { phase: 'Running', containerStatuses: [{ state: { running: {} } }] } } as V1Pod;

/** Of a cluster whose watch never tells anything, and whose API server answers a look at the pod so. */
function silent(read: () => Promise<V1Pod>): InstancePods {
  return {
    api: { createNamespacedPod: async () => {}, readNamespacedPod: read },
    pods: {
      until: () => Promise.reject(new DOMException('late', 'TimeoutError')),
      get: () => ({ metadata: { labels: {} } }),
      learn: () => {},
    },
    namespaces: { of: async () => 'shared' },
    ...{ shared: 'shared', namespaceOf: new Map(), deleting: new Set() },
    placement: { executorId: 'own', agentImage: 'agent', cpuOvercommit: 1 },
    users: { withUser: (work: (user: number) => Promise<unknown>) => work(1) },
    log: createLogger('test'),
  } as unknown as InstancePods;
}

test('a pod that cannot be looked at in the end did not start, and may be tried again', async () => {
  const cause = new Error('no answer');
  const created = createPod(
    silent(() => Promise.reject(cause)),
    plan,
    new AbortController().signal,
  );
  await expect(created).rejects.toMatchObject({
    reason: 'SANDBOX_START_FAILED',
    details: { retryAfterMs: 1_000 },
    cause,
  });
});

test('a pod that runs by then has started', async () => {
  await createPod(
    silent(async () => running),
    plan,
    new AbortController().signal,
  );
});
