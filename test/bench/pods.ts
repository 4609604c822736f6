import { setTimeout as pause } from 'node:timers/promises';
import { CoreV1Api, KubeConfig } from '@kubernetes/client-node';
import { imageTag } from '../../deploy/images/build.ts';

const POLL_MS = 20;

/** A pod as one would make it by hand, in the phase that is waited for. Disposing has it removed. */
export async function startPod(kubeconfig: string, name: string, words: readonly string[], phase: string) {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const [namespace, image] = ['default', await imageTag('python')];
  const containers = [{ name: 'main', image, imagePullPolicy: 'Never', command: [...words] }];
  const spec = { containers, restartPolicy: 'Never', terminationGracePeriodSeconds: 0 };
  await api.createNamespacedPod({ namespace, body: { metadata: { name }, spec } });
  const read = () => api.readNamespacedPod({ namespace, name });
  for (let pod = await read(); pod.status?.phase !== phase; pod = await read()) await pause(POLL_MS);
  return { name, [Symbol.asyncDispose]: async () => void (await api.deleteNamespacedPod({ namespace, name })) };
}
