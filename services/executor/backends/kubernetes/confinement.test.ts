import { ApiException, type KubernetesObjectApi } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { untilConfined, untilPodsConfined } from './confinement.ts';

const log = createLogger('test');
const forbidden = () => Promise.reject(new ApiException(403, 'Forbidden', '', {}));
const binding = { role: 'role', user: 'user' };

test('an executor that waits for its policies stops when it is told to', async () => {
  const stop = new AbortController();
  const patch = async (): Promise<never> => {
    stop.abort();
    return {} as never;
  };
  const objects = { patch, create: patch } as Pick<KubernetesObjectApi, 'create' | 'patch'>;
  const options = { objects, environment: 'drydock', binding, signal: stop.signal, log };
  await expect(untilConfined(options)).rejects.toBe(stop.signal.reason);
  await expect(untilPodsConfined(options)).rejects.toBe(stop.signal.reason);
});

test('it waits until a pod with a user of the node is refused', async () => {
  const users: unknown[] = [];
  const create = async (pod: { spec?: { securityContext?: { runAsUser?: number } } }) => {
    users.push(pod.spec?.securityContext?.runAsUser);
    return users.length < 2 ? {} : forbidden();
  };
  const objects = { create, patch: forbidden } as unknown as Pick<KubernetesObjectApi, 'create' | 'patch'>;
  await untilPodsConfined({ objects, environment: 'drydock', signal: new AbortController().signal, log });
  expect(users).toEqual([1_000, 1_000]);
});
