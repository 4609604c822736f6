import { request } from 'node:http';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { CoreV1Api, Exec, KubeConfig, NetworkingV1Api, type V1Pod, type V1PodSpec } from '@kubernetes/client-node';
import { expect, inject } from 'vitest';
import { newId } from '#libs/ids.ts';
import type { Control } from './cluster-setup.ts';

const READY_MS = 60_000;

export type Namespace = AsyncDisposable & {
  name: string;
  /** Makes a pod of one container called `main`, and waits until it is ready; answers with what the API server says of it. */
  run(name: string, spec: V1PodSpec): Promise<V1Pod>;
  /** Runs a command in a pod's container; throws where it does not end with 0. Answers with what it printed. */
  exec(pod: string, command: string[]): Promise<string>;
  podOf(name: string): Promise<V1Pod>;
};

/** The cluster of this project. */
export function connectCluster() {
  const { kubeconfig, controlSocket } = inject('cluster');
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  const core = config.makeApiClient(CoreV1Api);
  const call = (method: keyof Control, ...args: unknown[]) => post(controlSocket, JSON.stringify([method, args]));

  return {
    core,
    networking: config.makeApiClient(NetworkingV1Api),
    isGone: (namespace: string) =>
      core.readNamespace({ name: namespace }).then(
        () => false,
        ({ code }) => code === 404,
      ),
    importImage: (rootFilesystem: string, reference: string) => call('importImage', rootFilesystem, reference),
    signal: (...args: Parameters<Control['signal']>) => call('signal', ...args),
    stop: (...args: Parameters<Control['stop']>) => call('stop', ...args),
    start: (...args: Parameters<Control['start']>) => call('start', ...args),
    /** A namespace of its own, in which the Pod Security standard `level` is enforced. Disposing has it removed with all that is in it. */
    async namespace(level: 'privileged' | 'restricted'): Promise<Namespace> {
      const name = `test-${newId('evt').slice(-12).toLowerCase()}`;
      const labels = { 'pod-security.kubernetes.io/enforce': level };
      await core.createNamespace({ body: { metadata: { name, labels } } });
      // A pod before it is refused.
      const account = () => core.readNamespacedServiceAccount({ namespace: name, name: 'default' });
      await expect.poll(account, { timeout: READY_MS, interval: 20 }).toBeTruthy();
      const podOf = (pod: string) => core.readNamespacedPod({ namespace: name, name: pod });
      return {
        name,
        podOf,
        async run(pod, spec) {
          const body = { metadata: { name: pod, labels: { pod } }, spec };
          await core.createNamespacedPod({ namespace: name, body });
          const isReady = async () =>
            (await podOf(pod)).status?.conditions?.some(({ type, status }) => type === 'Ready' && status === 'True');
          await expect.poll(isReady, { timeout: READY_MS, interval: 100 }).toBe(true);
          return podOf(pod);
        },
        exec: (pod, command) => exec(config, name, pod, command),
        async [Symbol.asyncDispose]() {
          await core.deleteNamespace({ name });
        },
      };
    },
  };
}

async function exec(config: KubeConfig, namespace: string, pod: string, command: string[]): Promise<string> {
  const [stdout, stderr] = [new PassThrough(), new PassThrough()];
  const printed = Promise.all([text(stdout), text(stderr)]);
  const status = await new Promise<{ status?: string; message?: string }>((resolve, reject) => {
    new Exec(config).exec(namespace, pod, 'main', command, stdout, stderr, null, false, resolve).catch(reject);
  });
  stdout.end();
  stderr.end();
  const [output, errors] = await printed;
  if (status.status !== 'Success') throw new Error(`${status.message}: ${errors}`);
  return output;
}

function post(socketPath: string, body: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const asking = request({ socketPath, method: 'POST' }, async (response) => {
      const message = await text(response);
      if (response.statusCode === 200) resolve();
      else reject(new Error(message));
    });
    asking.once('error', reject).end(body);
  });
}
