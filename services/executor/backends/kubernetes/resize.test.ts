import type { CoreV1Api, V1Pod, V1ResourceRequirements } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import type { Pods } from './pods.ts';
import { resizePod } from './resize.ts';

const resources = (cpu: string): V1ResourceRequirements => {
  const each = { cpu, memory: '268435456' };
  return { limits: each, requests: each };
};
/** A pod with this much CPU wanted in its spec, and this much in use. */
const pod = (wanted: string, has: string): V1Pod => ({
  metadata: { name: 'drydock-ins-1', generation: 2 },
  spec: { containers: [{ name: 'sandbox', resources: resources(wanted) }] },
  status: {
    containerStatuses: [
      {
        ...{ name: 'sandbox', image: '', imageID: '', ready: true, restartCount: 0 },
        resources: resources(has),
        allocatedResources: resources(has).requests!,
      },
    ],
  },
});

/** The patches sent to the API server for a pod in this state. */
async function patches(known: V1Pod, cpu: string): Promise<unknown[]> {
  const asked: unknown[] = [];
  const api = {
    async patchNamespacedPodResize({ body }: { body: unknown }) {
      asked.push(body);
      return pod(cpu, '1');
    },
  } as Partial<CoreV1Api> as CoreV1Api;
  const pods = { get: () => known, until: async (_, wanted) => wanted(pod(cpu, '1')) } as Partial<Pods> as Pods;
  expect(await resizePod({ api, pods, namespace: 'ns' }, 'ins_1', resources(cpu))).toBe(true);
  return asked;
}

test('a pod with the wanted resources and no pending resize is not patched', async () => {
  expect(await patches(pod('1', '1'), '1')).toEqual([]);
});

test('a pending resize is reverted, although the pod still has the wanted resources', async () => {
  expect(await patches(pod('16', '1'), '1')).toMatchObject([
    { spec: { containers: [{ name: 'sandbox', resources: { limits: { cpu: '1' } } }] } },
  ]);
});
