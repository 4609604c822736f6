import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type IncomingMessage } from 'node:http';
import { Agent, type RequestOptions, request as sendSecurely } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { join } from 'node:path';
import { CoreV1Api, KubeConfig, type V1Pod } from '@kubernetes/client-node';
import type { Below, Observed } from './engine.ts';

const NAMESPACE_PREFIX = 'drydock-test';
/** Where sandboxes wait for whoever comes. */
export const POOL_NAMESPACE = `${NAMESPACE_PREFIX}-pool`;
/** What is made for an organisation. */
export const namespaceOf = (organizationId: string) => `${NAMESPACE_PREFIX}-${organizationId.replaceAll('_', '-')}`;

/** What an executor is told to work on the cluster under test. */
export function clusterVariables(kubeconfig: string): Record<string, string> {
  return {
    EXECUTOR_BACKEND: 'kubernetes',
    KUBECONFIG: kubeconfig,
    KUBERNETES_NAMESPACE_PREFIX: NAMESPACE_PREFIX,
    KUBERNETES_AGENT_IMAGE: process.env.AGENT_IMAGE ?? '',
    // A few cores have to do for all that a test holds at one time.
    KUBERNETES_CPU_OVERCOMMIT: '10',
  };
}

/** The cluster as a test asks it, and only for the pods of one executor. */
export function connectCluster(kubeconfig: string, executorId: string): Below {
  const api = configOf(kubeconfig).makeApiClient(CoreV1Api);
  const nameOf = (instanceId: string) => `drydock-${instanceId.replaceAll('_', '-')}`;
  const pods = async () =>
    (await api.listPodForAllNamespaces({ labelSelector: `drydock.dev/executor=${executorId}` })).items;
  const instanceOf = ({ metadata }: V1Pod) => metadata!.labels!['drydock.dev/instance']!;
  const removePod = ({ metadata }: V1Pod) =>
    api.deleteNamespacedPod({ namespace: metadata!.namespace!, name: metadata!.name!, gracePeriodSeconds: 0 });
  const list = async () => (await pods()).map(instanceOf);
  return {
    list,
    nameOf,
    async kill(instanceId) {
      const pod = (await pods()).find((each) => instanceOf(each) === instanceId);
      await removePod(pod!);
    },
    async makeOrphan(image) {
      const instanceId = 'ins_orphan';
      const labels = { 'drydock.dev/executor': executorId, 'drydock.dev/instance': instanceId };
      const body = {
        metadata: { name: nameOf(instanceId), labels },
        spec: {
          terminationGracePeriodSeconds: 0,
          securityContext: {
            runAsNonRoot: true,
            runAsUser: 1000,
            seccompProfile: { type: 'RuntimeDefault' },
          },
          containers: [
            {
              name: 'orphan',
              image,
              command: ['sleep', '600'],
              securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
            },
          ],
        },
      };
      await api.createNamespacedPod({ namespace: POOL_NAMESPACE, body });
      return instanceId;
    },
    removeAll: async () => Promise.all((await pods()).map(removePod)),
  };
}

/** Stands between an executor and the API server. */
export async function observeCluster(kubeconfig: string): Promise<Observed> {
  const config = configOf(kubeconfig);
  const target = new URL(config.getCurrentCluster()!.server);
  const credentials: RequestOptions = {};
  await config.applyToHTTPSOptions(credentials);
  const agent = new Agent({ ...credentials, keepAlive: true } as ConstructorParameters<typeof Agent>[0]);
  const requests: string[] = [];
  const sockets = new Set<Socket>();
  const forward = ({ method = 'GET', url = '/', headers }: IncomingMessage) => {
    requests.push(`${method} ${url}`);
    const { hostname, port } = target;
    return sendSecurely({ ...credentials, agent, hostname, port, method, path: url, headers });
  };
  const server = createServer((asked, answer) => {
    const far = forward(asked);
    far.once('response', (response) => {
      answer.writeHead(response.statusCode!, response.headers);
      // Whoever watches waits for these, and perhaps for long until something follows.
      answer.flushHeaders();
      response.pipe(answer);
    });
    far.once('error', () => answer.destroy());
    answer.once('close', () => far.destroy());
    asked.pipe(far);
  });
  server.on('connection', (socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  server.on('upgrade', (asked, near) => {
    const far = forward(asked);
    far.once('upgrade', (response, socket) => {
      const headers = Object.entries(response.headers).map(([name, value]) => `${name}: ${value}\r\n`);
      near.write(`HTTP/1.1 101 Switching Protocols\r\n${headers.join('')}\r\n`);
      socket.on('error', () => near.destroy()).once('close', () => near.destroy());
      near.on('error', () => socket.destroy()).once('close', () => socket.destroy());
      near.pipe(socket).pipe(near);
    });
    far.once('response', () => near.destroy()).once('error', () => near.destroy());
    far.end();
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  const directory = await mkdtemp('/tmp/dd-cluster-');
  const file = join(directory, 'kubeconfig');
  await writeFile(file, kubeconfigFor(`http://127.0.0.1:${port}`));
  const drop = () => {
    for (const socket of sockets) socket.destroy();
  };
  return {
    requests,
    variables: { KUBECONFIG: file },
    break: drop,
    async [Symbol.asyncDispose]() {
      drop();
      await new Promise((resolve) => server.close(resolve));
      agent.destroy();
      await rm(directory, { recursive: true });
    },
  };
}

function configOf(kubeconfig: string): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(kubeconfig);
  return config;
}

function kubeconfigFor(server: string): string {
  return JSON.stringify({
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'observed', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'observed', user: {} }],
    contexts: [{ name: 'observed', context: { cluster: 'observed', user: 'observed' } }],
    'current-context': 'observed',
  });
}
