import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:https';
import { dirname, join } from 'node:path';
import { json } from 'node:stream/consumers';
import {
  AdmissionregistrationV1Api,
  CoreV1Api,
  NetworkingV1Api,
  RbacAuthorizationV1Api,
  type V1PolicyRule,
} from '@kubernetes/client-node';
import { execa } from 'execa';
import { afterAll, afterEach, beforeEach, expect, test } from 'vitest';
import type { Template } from '#libs/catalog/catalog.ts';
import { createAuthority } from '#libs/certificates/authority.ts';
import { newId } from '#libs/ids.ts';
import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import { LINK } from '../../deploy/dev-cluster/addresses.ts';
import { KUBECONFIG } from '../integration/executor/backend-under-test.ts';
import { clusterVariables } from '../integration/executor/cluster.ts';
import { MiB, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { connectCluster } from '../support/cluster.ts';
import { startNats } from '../support/nats.ts';
import { accountOf, adminConfig, askBeforePods } from '../support/rights.ts';
import { startService } from '../support/service-process.ts';

const PREFIX = 'drydock-weather';
/** Where a sandbox of the fixture's organisation is made. */
const NAMESPACE = `${PREFIX}-org-ours`;
const TiB = 2 ** 40;
/** What it takes to keep namespaces of sandboxes, and to be one of several executors. */
const KEEPS_NAMESPACES: V1PolicyRule[] = [
  {
    apiGroups: ['', 'networking.k8s.io'],
    resources: ['namespaces', 'serviceaccounts', 'networkpolicies', 'services', 'resourcequotas', 'limitranges'],
    verbs: ['get', 'list', 'create', 'patch'],
  },
  { apiGroups: ['coordination.k8s.io'], resources: ['leases'], verbs: ['create', 'list', 'update', 'delete'] },
];

const cluster = connectCluster();
const config = adminConfig();
const core = config.makeApiClient(CoreV1Api);

let executor: TestExecutor;
let undo: AsyncDisposableStack;

beforeEach(() => {
  undo = new AsyncDisposableStack();
});
afterEach(() => undo.disposeAsync());
afterAll(() => Promise.all([NAMESPACE, `${PREFIX}-pool`].map((name) => core.deleteNamespace({ name }))));

/** An executor that makes no pod before it is asked for one, unless it has a pool. */
async function start(
  template: Partial<Template> = {},
  environment: Record<string, string> = {},
  pool: Template['pool'] = { floor: 0, ceiling: 0 },
) {
  executor = await startExecutor({
    pool,
    template,
    environment: { KUBERNETES_NAMESPACE_PREFIX: PREFIX, EXECUTOR_MEMORY_BYTES: String(8 * TiB), ...environment },
  });
  undo.use(executor);
}

/** One whose organisation has its namespace already. */
async function startWithNamespace() {
  await start();
  await executor.destroy(await executor.sandbox());
}

const warm = () => executor.metric('executor_warm_sandboxes{');

const podsLeft = async () => {
  const { items } = await core.listNamespacedPod({ namespace: NAMESPACE });
  return items.map(({ metadata }) => metadata!.name);
};

/** That a sandbox is refused in these words, and that nothing of it stays. */
async function refused(reason: string, words: RegExp, limits: Partial<AppliedLimits> = {}): Promise<void> {
  const claim = executor.claim({}, limits);
  await expect(claim).rejects.toMatchObject({ reason, message: expect.stringMatching(words) });
  await expect.poll(podsLeft, { timeout: 20_000 }).toEqual([]);
}

test('an image that nobody has', async () => {
  await start({ image: 'drydock/none-such:1' });
  await refused('SANDBOX_START_FAILED', /the cluster has no image .*drydock\/none-such:1/);
});

test('an image without a shell', async () => {
  await start({ image: process.env.AGENT_IMAGE! });
  const sandboxId = await executor.sandbox();
  await expect(executor.command(sandboxId, ['sh', '-c', 'true'])).rejects.toMatchObject({
    reason: 'COMMAND_NOT_FOUND',
  });
  await executor.destroy(sandboxId);
  expect(await podsLeft()).toEqual([]);
});

test('a cluster without the RuntimeClass', async () => {
  await start({ runtime: 'none-such' });
  await refused('SANDBOX_START_FAILED', /no RuntimeClass none-such/);
});

test('a cluster without room', async () => {
  await start({}, { KUBERNETES_CPU_OVERCOMMIT: '1' });
  await refused('NO_CAPACITY', /no room for a sandbox: .*cpu/i, { cpus: 16 });
});

test('sandboxes that no node has room for keep nobody from warm ones', async () => {
  await start({}, { KUBERNETES_CPU_OVERCOMMIT: '1' }, { floor: 1, ceiling: 1 });
  await expect.poll(warm, { timeout: 20_000 }).toBe(1);
  // What is warm has another disk, and would not do.
  const unlike = { cpus: 16, diskBytes: 32 * MiB };
  const stop = new AbortController();
  const ask = async () => {
    while (!stop.signal.aborted)
      await expect(executor.claim({}, unlike)).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  };
  const asking = [ask(), ask()];
  expect(await executor.claim()).toMatchObject({ warm: true });
  await expect.poll(warm, { timeout: 10_000 }).toBe(1);
  stop.abort();
  await Promise.all(asking);
}, 90_000);

test('limits that no node has room for use up no warm sandbox each time', async () => {
  await start({}, { KUBERNETES_CPU_OVERCOMMIT: '1' }, { floor: 1, ceiling: 1 });
  await expect.poll(warm, { timeout: 20_000 }).toBe(1);
  const refuse = () => expect(executor.claim({}, { cpus: 16 })).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  const instances = () => executor.engine.list();
  await refuse();
  // Another one was made while it was asked for more, and one of the two is ended.
  await expect.poll(async () => [await warm(), (await instances()).length], { timeout: 20_000 }).toEqual([1, 1]);
  const before = await instances();
  await refuse();
  await expect.poll(instances, { timeout: 20_000 }).toEqual(before);
  const { sandboxId, warm: wasWarm } = await executor.claim();
  expect(wasWarm).toBe(true);
  expect(before).toEqual([await executor.instanceOf(sandboxId)]);
  await executor.destroy(sandboxId);
}, 120_000);

test('an API server that is away while limits are to be changed', async () => {
  await start({}, {}, { floor: 3, ceiling: 3 });
  await expect.poll(warm, { timeout: 20_000 }).toBe(3);
  await cluster.stop('kube-apiserver');
  const claim = executor.claim({}, { memoryBytes: 200 * MiB });
  await claim
    .then(
      () => expect.unreachable(),
      ({ reason }) => expect(reason).toMatch(/^(SERVICE_UNAVAILABLE|SANDBOX_START_FAILED)$/),
    )
    .finally(() => cluster.start('kube-apiserver'));
  await expect.poll(() => executor.engine.list().catch(() => []), { timeout: 60_000, interval: 500 }).toHaveLength(3);
  await expect.poll(warm, { timeout: 60_000 }).toBe(3);
  expect(await executor.engine.list()).toHaveLength(3);
}, 180_000);

test('a quota in the way', async () => {
  await startWithNamespace();
  const metadata = { name: 'none' };
  await core.createNamespacedResourceQuota({ namespace: NAMESPACE, body: { metadata, spec: { hard: { pods: '0' } } } });
  undo.defer(async () => void (await core.deleteNamespacedResourceQuota({ namespace: NAMESPACE, name: 'none' })));
  // It counts from when a controller has seen it.
  const counted = async () =>
    (await core.readNamespacedResourceQuota({ namespace: NAMESPACE, name: 'none' })).status?.hard?.pods;
  await expect.poll(counted, { timeout: 20_000 }).toBe('0');
  await refused('NO_CAPACITY', /quota for sandboxes is used up: .*pods=0/);
});

test('a webhook that refuses pods', async () => {
  await start();
  const authority = await createAuthority('webhook');
  const { certificate: cert, key } = await authority.issue('CN=webhook', { ip: [LINK.machine.address] });
  const server = createServer({ cert, key }, async (request, response) => {
    const { request: asked } = (await json(request)) as { request: { uid: string } };
    const answer = { uid: asked.uid, allowed: false, status: { message: 'not on a Thursday' } };
    response.setHeader('content-type', 'application/json');
    response.end(JSON.stringify({ apiVersion: 'admission.k8s.io/v1', kind: 'AdmissionReview', response: answer }));
  });
  await new Promise<void>((resolve) => server.listen(0, LINK.machine.address, resolve));
  undo.defer(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address() as { port: number };
  const webhook = await askBeforePods('pods.weather.test', 'CREATE', {
    namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': NAMESPACE } },
    clientConfig: {
      url: `https://${LINK.machine.address}:${port}/`,
      caBundle: Buffer.from(authority.certificate).toString('base64'),
    },
  });
  undo.use(webhook);
  await refused('SANDBOX_START_FAILED', /admission webhook pods\.weather\.test refuses its pods: .*not on a Thursday/);
});

test('policies that nobody enforces, unless the operator says that it may be so', async () => {
  await startWithNamespace();
  // Policies add up: with this one everything goes out, as it would where no policy is enforced.
  const spec = { podSelector: {}, policyTypes: ['Egress'], egress: [{}] };
  const api = config.makeApiClient(NetworkingV1Api);
  await api.createNamespacedNetworkPolicy({ namespace: NAMESPACE, body: { metadata: { name: 'open' }, spec } });
  undo.defer(async () => void (await api.deleteNamespacedNetworkPolicy({ namespace: NAMESPACE, name: 'open' })));
  await refused('SANDBOX_START_FAILED', /network policies are not enforced: its sandbox reaches .*:443/);
  await start({}, { KUBERNETES_NETWORK_ISOLATION: 'none' });
  const sandboxId = await executor.sandbox();
  expect((await executor.command(sandboxId, ['echo', 'here'])).stdout).toBe('here\n');
  await executor.destroy(sandboxId);
});

test.for([
  { missing: 'patch namespaces', rules: [] },
  { missing: 'list pods', rules: KEEPS_NAMESPACES },
])('an account that may not $missing is told so at the start', async ({ missing, rules }) => {
  const words = await lastWords(await accountWith(rules));
  expect(words).toMatch(new RegExp(`the executor may not ${missing}: grant it that verb`));
});

test('an executor of a chart waits until admission policies confine it', async () => {
  const directory = await mkdtemp('/tmp/dd-weather-');
  undo.defer(() => rm(directory, { recursive: true }));
  const nats = undo.use(await startNats());
  const service = undo.use(
    startService('executor', {
      ...clusterVariables(KUBECONFIG!),
      KUBERNETES_NAMESPACE_PREFIX: PREFIX,
      KUBERNETES_ROLE: 'view',
      EXECUTOR_ID: `test-${newId('evt').slice(-12)}`,
      EXECUTOR_DATA_DIR: directory,
      EXECUTOR_ADDRESS: '127.0.0.1:0',
      EXECUTOR_METRICS_ADDRESS: '127.0.0.1:0',
      NATS_URL: nats.url,
    }),
  );
  await service.logged('no admission policies confine this executor yet; waiting for those of the chart');
  undo.use(await denyWrites(['namespaces'], `object.metadata.name == '${PREFIX}-unconfined'`));
  undo.use(await denyWrites(['rolebindings'], `object.metadata.namespace == 'default'`));
  undo.use(await denyWrites(['pods'], `object.metadata.name == '${PREFIX}-unconfined'`));
  await service.listening;
});

test('an account that may not make pods is told so by the first sandbox', async () => {
  const pods = { apiGroups: [''], resources: ['pods'], verbs: ['get', 'list', 'watch', 'delete'] };
  await start({}, { KUBECONFIG: await accountWith([...KEEPS_NAMESPACES, pods]) });
  await refused('SANDBOX_START_FAILED', /the executor may not create pods: grant it that verb/);
});

test('the doctor says of a cluster what it is, and which rights an account lacks', async () => {
  const examine = async (kubeconfig: string) => {
    const args = ['deploy/doctor/doctor.ts', '--backend', 'kubernetes'];
    const { stdout } = await execa(process.execPath, args, { reject: false, env: { KUBECONFIG: kubeconfig } });
    return stdout;
  };
  const [all, none] = [await examine(KUBECONFIG!), await examine(await accountWith([]))];
  expect(all).toMatch(/^ok +cluster: Kubernetes v1\.34\.\d+ at https:/m);
  expect(all).toMatch(/^ok +rights: /m);
  expect(all).toMatch(/^ok +RuntimeClasses: gvisor$/m);
  expect(all).toMatch(/^optional user namespaces of pods: none on \S+ \(containerd:\/\/1\.6\.\S+, Linux \S+\)$/m);
  expect(none).toMatch(/^optional RuntimeClasses: may not be listed$/m);
  expect(none).toMatch(/^optional user namespaces of pods: nodes may not be listed$/m);
  expect(none).toMatch(
    /^MISSING +rights: may not create pods, .*create pods\/exec, .*patch pods\/resize, .*delete namespaces, .*create resourcequotas, .*watch leases/m,
  );
  expect(await examine('/nonexistent')).toMatch(/^MISSING +cluster: \/nonexistent: /m);
});

/** Has the API server refuse to make or change such objects. */
async function denyWrites(resources: string[], which: string): Promise<AsyncDisposable> {
  const api = config.makeApiClient(AdmissionregistrationV1Api);
  const name = `weather-${resources[0]}`;
  const rule = { apiGroups: ['*'], apiVersions: ['*'], operations: ['CREATE', 'UPDATE'], resources };
  const spec = {
    failurePolicy: 'Fail',
    matchConstraints: { resourceRules: [rule] },
    validations: [{ expression: `!(${which})`, reason: 'Forbidden' }],
  };
  await api.createValidatingAdmissionPolicy({ body: { metadata: { name }, spec } });
  const binding = { metadata: { name }, spec: { policyName: name, validationActions: ['Deny'] } };
  await api.createValidatingAdmissionPolicyBinding({ body: binding });
  return {
    async [Symbol.asyncDispose]() {
      await api.deleteValidatingAdmissionPolicyBinding({ name });
      await api.deleteValidatingAdmissionPolicy({ name });
    },
  };
}

/** A kubeconfig of an account with these rights alone. */
async function accountWith(rules: V1PolicyRule[]): Promise<string> {
  const name = `weather-${newId('evt').slice(-8).toLowerCase()}`;
  const [namespace, metadata] = ['default', { name }];
  const rbac = config.makeApiClient(RbacAuthorizationV1Api);
  await core.createNamespacedServiceAccount({ namespace, body: { metadata } });
  undo.defer(async () => void (await core.deleteNamespacedServiceAccount({ namespace, name })));
  await rbac.createClusterRole({ body: { metadata, rules } });
  undo.defer(async () => void (await rbac.deleteClusterRole({ name })));
  const roleRef = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name };
  const subjects = [{ kind: 'ServiceAccount', name, namespace }];
  await rbac.createClusterRoleBinding({ body: { metadata, roleRef, subjects } });
  undo.defer(async () => void (await rbac.deleteClusterRoleBinding({ name })));
  const account = await accountOf(namespace, name);
  const directory = await mkdtemp('/tmp/dd-weather-');
  undo.defer(() => rm(directory, { recursive: true }));
  const file = join(directory, 'kubeconfig');
  await writeFile(file, account.exportConfig(), { mode: 0o600 });
  return file;
}

/** What an executor prints that cannot start with a kubeconfig. */
async function lastWords(kubeconfig: string): Promise<string> {
  const ended = await execa(process.execPath, ['services/executor/main.ts'], {
    reject: false,
    all: true,
    env: {
      ...clusterVariables(kubeconfig),
      KUBERNETES_NAMESPACE_PREFIX: PREFIX,
      EXECUTOR_DATA_DIR: await mkdtemp(join(dirname(kubeconfig), 'data-')),
      NATS_URL: 'nats://127.0.0.1:1',
    },
  });
  expect(ended.exitCode).not.toBe(0);
  return ended.all;
}
