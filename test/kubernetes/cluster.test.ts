import type { V1PodSpec } from '@kubernetes/client-node';
import { expect, test } from 'vitest';
import { SERVICES } from '../../deploy/dev-cluster/addresses.ts';
import { connectCluster, type Namespace } from '../support/cluster.ts';

const image = process.env.PYTHON_IMAGE!;
const EVERYTHING = { podSelector: {}, policyTypes: ['Ingress', 'Egress'] };
type Address = [host: string, port: number];
const API_SERVER: Address = [SERVICES.api, 443];
const python = ([host, port]: Address) => `('${host}', ${port})`;
const FOR_EVER = ['python3', '-c', 'import signal; signal.sigwait({signal.SIGTERM})'];

const cluster = connectCluster();
const { core, networking } = cluster;
/** What the standard `restricted` lets through. */
function lockedDown(command: string[]): V1PodSpec {
  const container = {
    name: 'main',
    image,
    command,
    imagePullPolicy: 'Never',
    securityContext: { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } },
  };
  return {
    containers: [container],
    securityContext: { runAsNonRoot: true, runAsUser: 1000, seccompProfile: { type: 'RuntimeDefault' } },
    automountServiceAccountToken: false,
    terminationGracePeriodSeconds: 1,
  };
}

/** Whether a pod gets a connection to each of some addresses: `reached` or `blocked`. */
async function reach(namespace: Namespace, pod: string, targets: Address[]): Promise<string[]> {
  const script = `import socket
for target in [${targets.map(python)}]:
    try:
        socket.create_connection(target, 1).close()
        print('reached')
    except OSError:
        print('blocked')`;
  return (await namespace.exec(pod, ['python3', '-c', script])).trim().split('\n');
}

async function denyEverything({ name: namespace }: Namespace): Promise<void> {
  const body = { metadata: { name: 'deny' }, spec: EVERYTHING };
  await networking.createNamespacedNetworkPolicy({ namespace, body });
}

test('a node of Kubernetes 1.34 is ready', async () => {
  const { items } = await core.listNode();
  expect(items).toHaveLength(1);
  expect(items[0]?.status?.nodeInfo?.kubeletVersion).toMatch(/^v1\.34\./);
  expect(items[0]?.status?.conditions).toContainEqual(expect.objectContaining({ type: 'Ready', status: 'True' }));
});

test('an image of the cache runs under the strictest pod security, and commands in it print', async () => {
  await using namespace = await cluster.namespace('restricted');
  await namespace.run('python', lockedDown(FOR_EVER));
  expect(await namespace.exec('python', ['python3', '-c', 'import os; print(os.getuid(), 6 * 7)'])).toBe('1000 42\n');
});

test('the strictest pod security refuses a pod that asks for nothing', async () => {
  await using namespace = await cluster.namespace('restricted');
  const body = { metadata: { name: 'plain' }, spec: { containers: [{ name: 'main', image }] } };
  const created = core.createNamespacedPod({ namespace: namespace.name, body });
  await expect(created).rejects.toMatchObject({
    code: 403,
    body: expect.stringMatching(/violates PodSecurity.*restricted/),
  });
});

test('a pod finds services by their names, and nothing else', async () => {
  await using namespace = await cluster.namespace('restricted');
  await namespace.run('asking', lockedDown(FOR_EVER));
  const script = `import socket
for name in ('kubernetes.default', 'example.com'):
    try: print(socket.gethostbyname(name))
    except OSError: print('unknown')`;
  expect(await namespace.exec('asking', ['python3', '-c', script])).toBe(`${SERVICES.api}\nunknown\n`);
});

test('a policy that denies everything keeps a pod from others and from the API server until another allows it', async () => {
  await using namespace = await cluster.namespace('restricted');
  await denyEverything(namespace);
  const [server] = await Promise.all([
    namespace.run('server', lockedDown(['python3', '-m', 'http.server', '8080', '--directory', '/usr'])),
    namespace.run('client', lockedDown(FOR_EVER)),
  ]);
  const reached = () => reach(namespace, 'client', [[server.status!.podIP!, 8080], API_SERVER]);
  expect(await reached()).toEqual(['blocked', 'blocked']);
  const body = { metadata: { name: 'allow' }, spec: { ...EVERYTHING, ingress: [{}], egress: [{}] } };
  await networking.createNamespacedNetworkPolicy({ namespace: namespace.name, body });
  await expect.poll(reached, { timeout: 10_000 }).toEqual(['reached', 'reached']);
  await networking.deleteNamespacedNetworkPolicy({ namespace: namespace.name, name: 'allow' });
  await expect.poll(reached, { timeout: 10_000 }).toEqual(['blocked', 'blocked']);
});

test('a policy holds from the first moment of a pod', async () => {
  await using free = await cluster.namespace('restricted');
  await using denied = await cluster.namespace('restricted');
  await denyEverything(denied);
  const script = `import socket, time
end, reached = time.monotonic() + 2, 0
while time.monotonic() < end:
    try:
        socket.create_connection(${python(API_SERVER)}, 0.01).close()
        reached += 1
    except OSError:
        pass
print('reached', reached, flush=True)
import signal; signal.sigwait({signal.SIGTERM})`;
  await Promise.all([free, denied].map((each) => each.run('early', lockedDown(['python3', '-c', script]))));
  const said = (namespace: Namespace) => () => core.readNamespacedPodLog({ namespace: namespace.name, name: 'early' });
  await expect.poll(said(denied), { timeout: 10_000 }).toBe('reached 0\n');
  await expect.poll(said(free), { timeout: 10_000 }).toMatch(/^reached [1-9]/);
});

test('a pod that starts while nobody enforces policies reaches nothing until somebody does', async () => {
  await using namespace = await cluster.namespace('restricted');
  await cluster.stop('calico-felix', 'SIGKILL');
  await namespace.run('unguarded', lockedDown(FOR_EVER));
  const reached = () => reach(namespace, 'unguarded', [API_SERVER]);
  expect(await reached()).toEqual(['blocked']);
  await cluster.start('calico-felix');
  await expect.poll(reached, { timeout: 10_000 }).toEqual(['reached']);
});

test('a pod outlives its kubelet', async () => {
  await using namespace = await cluster.namespace('restricted');
  const before = await namespace.run('steady', lockedDown(FOR_EVER));
  await cluster.stop('kubelet', 'SIGKILL');
  await expect(namespace.exec('steady', ['true'])).rejects.toThrow();
  await cluster.start('kubelet');
  // It answers before it has heard which pods are its own.
  await expect.poll(() => namespace.exec('steady', ['echo', 'here']).catch(String), { timeout: 10_000 }).toBe('here\n');
  const after = await namespace.podOf('steady');
  expect(after.status?.containerStatuses?.[0]?.containerID).toBe(before.status?.containerStatuses?.[0]?.containerID);
  expect(after.status?.containerStatuses?.[0]?.restartCount).toBe(0);
});

test('the API server is away and comes back', async () => {
  await cluster.stop('kube-apiserver', 'SIGKILL');
  await expect(core.listNode()).rejects.toThrow();
  await cluster.start('kube-apiserver');
  expect((await core.listNode()).items).toHaveLength(1);
});

test('a store that hangs makes the API server wait, and one that goes on lets it answer', async () => {
  await cluster.signal('etcd', 'SIGSTOP');
  const body = { metadata: { name: 'waiting' } };
  let created = false;
  const creating = core.createNamespacedConfigMap({ namespace: 'default', body }).then(() => {
    created = true;
  });
  await new Promise((resolve) => setTimeout(resolve, 1_000));
  expect(created).toBe(false);
  await cluster.signal('etcd', 'SIGCONT');
  await creating;
  await core.deleteNamespacedConfigMap({ namespace: 'default', name: 'waiting' });
});
