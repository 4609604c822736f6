import { X509Certificate } from 'node:crypto';
import { setTimeout as pause } from 'node:timers/promises';
import {
  AppsV1Api,
  CoreV1Api,
  type KubeConfig,
  loadYaml,
  type V1ConfigMap,
  type V1Deployment,
  type V1ObjectMeta,
  type V1Pod,
  type V1PodSpec,
  type V1Secret,
} from '@kubernetes/client-node';
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest';
import { executorNamed } from '#libs/grpc/tls.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { LINK } from '../../deploy/dev-cluster/addresses.ts';
import { natsConfig } from '../../deploy/local/nats-config.ts';
import { AUDIENCE } from '../../services/auth/token-review.ts';
import { collect, connectGrpc, connectHttp, type Endpoints, startedId } from '../support/api.ts';
import { openChart, smallPlatform } from '../support/chart.ts';
import { connectCluster } from '../support/cluster.ts';
import {
  accountOf,
  adminConfig,
  apply,
  attemptsOf,
  bindingOf,
  executorIn,
  LAST_USER,
  namespaceOf,
  restrictedPod,
  rulesOf,
} from '../support/rights.ts';

const RELEASE = 'drydock';
const NAMESPACE = 'drydock-helm';
const POOL = `${NAMESPACE}-pool`;
const SANDBOXES = `${NAMESPACE}-sandboxes`;
const FOREIGN = `${NAMESPACE}-org-foreign`;
const DRY = 'drydock-dry';
const SERVICES = ['gateway', 'auth', 'session', 'scheduler', 'executor'] as const;
/** Those whose certificates the chart makes, or is given; auth signs those of executors. */
const CERTIFIED = SERVICES.filter((name) => name !== 'executor');
const PARTS = [...SERVICES, 'database', 'postgresql', 'nats'];
const FIRST_BUILD_MS = 900_000;
const INSTALL_MS = 240_000;
const WITHIN = { timeout: 60_000, interval: 500 };
/** Longer than it takes until an executor is missed. */
const TICKING = 'import time\nfor i in range(400): print(i, flush=True); time.sleep(0.1)';
const TICKS = Array.from({ length: 400 }, (_, i) => `${i}\n`).join('');
/** What charts made before auth signed certificates of executors. */
const OLD_SECRET = 'drydock-executor-0-tls';
const CERTIFICATES_OF_EXECUTORS = `
{{- include "drydock.makeTls" . }}
{{- $authority := buildCustomCert (index .Values.made.authority "tls.crt") (index .Values.made.authority "tls.key") }}
{{- $certificate := genSignedCert "executor" nil (list "drydock-executor-0.executor") 365 $authority }}
apiVersion: v1
kind: Secret
type: kubernetes.io/tls
metadata: {name: ${OLD_SECRET}, namespace: {{ .Release.Namespace }}}
data:
  ca.crt: {{ b64enc $authority.Cert }}
  tls.crt: {{ b64enc $certificate.Cert }}
  tls.key: {{ b64enc $certificate.Key }}`;
/** What README.md says. */
const REMOVE_ORGANIZATIONS = ['delete', 'namespace', `--selector=drydock.dev/environment=${NAMESPACE}`];

const cluster = connectCluster();
let chart: Awaited<ReturnType<typeof openChart>>;
let values: Awaited<ReturnType<typeof smallPlatform>>;

beforeAll(async () => {
  chart = await openChart(RELEASE, NAMESPACE);
  values = await smallPlatform(NAMESPACE);
  const labels = Object.fromEntries(
    ['enforce', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']),
  );
  for (const name of [NAMESPACE, `${DRY}-pool`])
    await cluster.core.createNamespace({ body: { metadata: { name, labels } } });
}, FIRST_BUILD_MS);

afterAll(async () => {
  await chart.uninstall();
  await chart.kubectl([...REMOVE_ORGANIZATIONS, '--wait=false']);
  const others = [NAMESPACE, FOREIGN, `${DRY}-pool`];
  await chart.kubectl(['delete', 'namespace', ...others, '--ignore-not-found', '--wait=false']);
  await chart[Symbol.asyncDispose]();
});

describe('before anything is installed', () => {
  test('the chart is clean', async () => {
    expect(await chart.lint()).toContain('1 chart(s) linted, 0 chart(s) failed');
  });

  test.each([
    [{ gateway: { replica: 2 } }, /at '\/gateway': additional properties 'replica' not allowed/],
    [{ gateway: { replicas: 0 } }, /at '\/gateway\/replicas': minimum: got 0, want 1/],
    [{ logLevel: 'loud' }, /at '\/logLevel': value must be one of 'trace', 'debug', 'info'/],
    [{ sandboxes: { namespacePrefix: 'Upper' } }, /at '\/sandboxes\/namespacePrefix': 'Upper' does not match pattern/],
    // The name of an organisation's namespace has 31 characters more, of 63.
    [{ sandboxes: { namespacePrefix: 'x'.repeat(33) } }, /at '\/sandboxes\/namespacePrefix': maxLength: got 33/],
    [{ postgresql: { bundled: false } }, /at '\/postgresql\/external\/existingSecret': minLength: got 0, want 1/],
    [{ tls: { existingSecrets: { auth: 'mine' } } }, /at '\/tls\/existingSecrets'.*missing properties 'session'/s],
    [
      { sandboxes: { userIds: { first: 1000 } } },
      /at '\/sandboxes\/userIds\/first': minimum: got 1,?000, want 65,?536/,
    ],
    [{ networkPolicy: { apiServer: { cidrs: ['10.0.0.1'] } } }, /at '\/networkPolicy\/apiServer\/cidrs\/0'.*pattern/],
  ])('values that make no sense are refused: %j', async (wrong, why) => {
    await expect(chart.render(wrong)).rejects.toThrow(why);
  });

  const external = {
    postgresql: {
      bundled: false,
      external: { existingSecret: 'db', keys: { auth: 'a', session: 's', migrations: 'm' } },
    },
    nats: { bundled: false, external: { existingSecret: 'nats' } },
    tls: { existingSecrets: Object.fromEntries([...CERTIFIED, 'authority'].map((name) => [name, `${name}-cert`])) },
    operatorKey: { existingSecret: 'operator' },
  };
  test.each([
    ['the defaults', {}],
    ['everything from elsewhere', external],
    [
      'everything that is off by default',
      {
        imagePullSecrets: ['registry'],
        extraEnv: [{ name: 'OTEL_EXPORTER_OTLP_ENDPOINT', value: 'http://traces:4318' }],
        podLabels: { team: 'platform' },
        podAnnotations: { note: 'yes' },
        sandboxes: { quota: { pods: '10' }, hostUsers: false, catalog: '{"templates": [], "languages": []}' },
        gateway: {
          service: { type: 'LoadBalancer', annotations: { a: 'b' }, grpcNodePort: 30700 },
          webhooks: { allowedRanges: ['10.1.0.0/16'], allowedPorts: [443] },
          nodeSelector: { pool: 'front' },
          tolerations: [{ key: 'front', operator: 'Exists' }],
        },
        executor: {
          drain: { enabled: false },
          autoscaling: {
            enabled: true,
            metrics: [
              {
                type: 'Pods',
                pods: { metric: { name: 'executor_executions' }, target: { type: 'AverageValue', averageValue: '16' } },
              },
            ],
          },
        },
        postgresql: { persistence: { storageClass: 'fast' } },
        nats: { persistence: { enabled: false } },
        networkPolicy: {
          metricsFrom: [{ namespaceSelector: { matchLabels: { name: 'monitoring' } } }],
          extraEgress: [{ ports: [{ port: 4318 }] }],
        },
      },
    ],
  ])('the API server takes all of it: %s', async (_, more) => {
    const { sandboxes = {} } = more as { sandboxes?: object };
    const documents = await chart.render({ ...more, sandboxes: { ...sandboxes, namespacePrefix: DRY } });
    // It is there already, for what is to be in it.
    const others = documents.filter((each) => !/^kind: Namespace$/m.test(each));
    const options = ['--dry-run=server', '--validate=strict', '--filename=-'];
    const { stdout, stderr } = await chart.kubectl(['create', ...options], others.join('\n---\n'));
    expect(stderr).toBe('');
    expect(stdout.split('\n')).toHaveLength(others.length);
  });

  test('every pod of it is hardened, and has nobody else’s key', async () => {
    const pods = podsOf(await chart.render(values));
    expect(pods.map(({ name }) => name).sort()).toEqual(PARTS.toSorted());
    for (const { name, spec } of pods) {
      expect(spec.automountServiceAccountToken).toBe(['auth', 'executor'].includes(name));
      expect(spec.securityContext).toMatchObject({ runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } });
      for (const { securityContext, resources } of [...spec.containers, ...(spec.initContainers ?? [])]) {
        expect(securityContext).toEqual({
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        });
        expect(resources?.limits).toHaveProperty('memory');
      }
      const own = `drydock-${name}-tls`;
      const all = [`${own}/ca.crt`, `${own}/tls.crt`, `${own}/tls.key`];
      const others = {
        postgresql: ['drydock-postgresql/password'],
        database: [],
        auth: [...all, 'drydock-authority/tls.key'],
        executor: ['drydock-authority/tls.crt'],
      };
      expect(keysOf(spec)).toEqual(others[name as keyof typeof others] ?? all);
    }
  });

  test.each([
    [{ executor: { replicas: 3, autoscaling: { enabled: false, maxReplicas: 2 } } }, 3],
    [{ executor: { replicas: 2, autoscaling: { enabled: true, maxReplicas: 4 } } }, 4],
  ])(
    'NATS has the users that it has elsewhere, and one for each executor that may come: %j',
    async (more, executors) => {
      const documents = await chart.render({ ...values, ...more });
      const map = documents.find((each) => /^kind: ConfigMap$/m.test(each) && each.includes('nats.conf'))!;
      const found = JSON.parse(loadYaml<V1ConfigMap>(map).data!['nats.conf']!);
      const of = (file: string) => `/etc/drydock/tls/${file}.pem`;
      const wanted = natsConfig({
        listen: '0.0.0.0:4222',
        storeDirectory: '/var/lib/nats',
        tls: { ca: of('ca'), certificate: of('nats'), key: of('nats-key') },
        executorIds: Array.from({ length: executors }, (_, n) => `drydock-executor-${n}`),
      });
      const sorted = (config: ReturnType<typeof JSON.parse>) => ({
        ...config,
        authorization: {
          users: config.authorization.users.toSorted((a: { user: string }, b: { user: string }) =>
            a.user < b.user ? -1 : 1,
          ),
        },
      });
      expect(sorted(found)).toEqual({ ...sorted(JSON.parse(wanted)), http: '0.0.0.0:8222' });
    },
  );

  test('a service has a certificate that names it, and no Secret has one of an executor', async () => {
    const documents = await chart.render(values);
    const secrets = documents.filter((each) => /^kind: Secret$/m.test(each)).map((each) => loadYaml<V1Secret>(each));
    expect(namesIn(secrets)).toEqual({
      ...Object.fromEntries(CERTIFIED.map((service) => [`drydock-${service}-tls`, `DNS:${service}`])),
      'drydock-nats-tls': 'DNS:drydock-nats',
      'drydock-authority': undefined,
    });
  });

  test('an executor has a token of its pod that is for auth alone', async () => {
    const pods = podsOf(await chart.render(values));
    const tokens = pods.map(({ name, spec }) => [
      name,
      (spec.volumes ?? []).flatMap(({ projected }) => projected?.sources ?? []),
    ]);
    const token = { audience: AUDIENCE, expirationSeconds: 600, path: 'token' };
    expect(Object.fromEntries(tokens)).toEqual({
      ...Object.fromEntries(PARTS.map((part) => [part, []])),
      executor: [{ serviceAccountToken: token }],
    });
  });
});

/** The keys of Secrets that a pod has as files. */
function keysOf({ volumes = [] }: V1PodSpec): string[] {
  return volumes.flatMap(({ secret }) => secret?.items?.map(({ key }) => `${secret.secretName}/${key}`) ?? []);
}

/** Whom the certificates in some Secrets name, by the Secret. */
function namesIn(secrets: V1Secret[]): Record<string, string | undefined> {
  const certificates = secrets.filter(({ data }) => data?.['tls.crt']);
  return Object.fromEntries(
    certificates.map(({ metadata, data }) => {
      const { subjectAltName } = new X509Certificate(Buffer.from(data!['tls.crt']!, 'base64'));
      return [metadata!.name, subjectAltName];
    }),
  );
}

describe('installed', () => {
  let endpoints: Endpoints;
  let key: string;

  beforeAll(async () => {
    await chart
      .install(values, { 'certificates-of-executors.yaml': CERTIFICATES_OF_EXECUTORS })
      .catch(async (error) => {
        throw new Error(`${error.message}\n${await whatHappened()}`);
      });
    const { spec } = await cluster.core.readNamespacedService({ namespace: NAMESPACE, name: 'drydock-gateway' });
    const at = (name: string) => `${LINK.node.address}:${spec?.ports?.find((port) => port.name === name)?.nodePort}`;
    endpoints = { gatewayAddress: at('grpc'), httpUrl: `http://${at('http')}` };
    key = await secretOf('drydock-operator-key', 'key');
    const executor = await accountOf(NAMESPACE, 'drydock-executor');
    await makeOrganization(executor, 'own');
    // No organisation's, so that executors leave it alone.
    await apply(executor, namespaceOf(NAMESPACE, 'other', { 'drydock.dev/organization': '' }));
    await cluster.core.createNamespace({ body: { metadata: { name: FOREIGN } } });
    // Its executor ended before it was done with it.
    await apply(executor, namespaceOf(NAMESPACE, 'half'));
    // A gateway is ready a moment before every node has heard where it is, and all services before the Job has made the key.
    const answers = () =>
      connectHttp(endpoints, key)('GET', '/v1/apiKeys').then(
        ({ status }) => status === 200,
        () => false,
      );
    await vi.waitUntil(answers, { timeout: 30_000, interval: 100 });
  }, INSTALL_MS);

  test('the main job runs through the gateway: HTTP and gRPC, a program, a sandbox, a file', async () => {
    const http = connectHttp(endpoints, key);
    const ran = await http('POST', '/v1/executions:run', { language: 'python', source: 'print(6 * 7)' });
    expect(ran.body).toMatchObject({ verdict: 'ACCEPTED', stdout: '42\n' });

    using grpc = connectGrpc(endpoints, key);
    const { id } = await grpc.createSandbox();
    await grpc.writeFile(id, 'in.txt', 'x'.repeat(300_000));
    expect(await grpc.command(id, ['wc', '-c', 'in.txt'])).toMatchObject({ stdout: '300000 in.txt\n' });
    await grpc.deleteSandbox(id);

    const queued = await http('POST', '/v1/executions', { language: 'python', source: 'print("later")' });
    const ended = await http('GET', `/v1/executions/${queued.body.id}?wait=60s`);
    expect(ended.body).toMatchObject({ verdict: 'ACCEPTED', stdout: 'later\n' });
  });

  test('calls go along the call graph and no other way', async () => {
    const allowed = {
      gateway: ['auth:7001', 'session:7002', 'scheduler:7003', 'nats:4222'],
      scheduler: ['session:7002', 'nats:4222'],
      session: ['postgresql:5432', 'nats:4222'],
      auth: ['postgresql:5432', 'nats:4222'],
      executor: ['auth:7001', 'auth:7005', 'session:7002', 'nats:4222'],
    };
    const all = [...new Set(Object.values(allowed).flat())].sort();
    const reached = await Promise.all(SERVICES.map(async (service) => [service, await reachable(service, all)]));
    const expected = SERVICES.map((service) => [service, allowed[service].toSorted()]);
    expect(Object.fromEntries(reached)).toEqual(Object.fromEntries(expected));
  });

  test('an executor has had auth sign a certificate of a day for the name of its pod', async () => {
    const source = `process.stdout.write(fs.readFileSync('/var/lib/drydock/executor/certificate/certificate.pem'))`;
    const executors = (await podsNow()).filter(({ metadata }) => componentOf(metadata) === 'executor');
    expect(executors).toHaveLength(2);
    for (const { metadata } of executors) {
      const certificate = new X509Certificate(await evaluateIn(metadata!.name!, source));
      expect(executorNamed(certificate.subjectAltName!)).toBe(metadata!.name);
      expect(certificate.verify(new X509Certificate(await secretOf('drydock-authority', 'tls.crt')).publicKey)).toBe(
        true,
      );
      const life = certificate.validToDate.getTime() - certificate.validFromDate.getTime();
      expect(life).toBeLessThan(25 * 3_600_000);
    }
  });

  test('beside the executor’s account auth’s may ask whose tokens are, and no other anything; no other pods have a token', async () => {
    for (const account of PARTS.filter((part) => part !== 'executor')) {
      const own = await accountOf(NAMESPACE, `drydock-${account}`);
      const may = account === 'auth' ? ['create tokenreviews'] : [];
      for (const namespace of [NAMESPACE, POOL, 'default', 'kube-system'])
        expect([account, namespace, await rulesOf(own, namespace)]).toEqual([account, namespace, may]);
    }
    const source = `console.log(fs.existsSync('/var/run/secrets/kubernetes.io'))`;
    const found = SERVICES.map(async (service) => [service, (await evaluate(service, source)).trim()]);
    expect(Object.fromEntries(await Promise.all(found))).toEqual({
      ...Object.fromEntries(SERVICES.map((service) => [service, 'false'])),
      auth: 'true',
      executor: 'true',
    });
  });

  test('the executor’s account may do what it needs', async () => {
    const executor = await accountOf(NAMESPACE, 'drydock-executor');
    const everywhere = [
      `bind clusterroles/${SANDBOXES}`,
      'create,delete,get,list,patch namespaces',
      'create,get,patch rolebindings/drydock-executor',
    ];
    const ofSandboxes = [
      ...everywhere,
      'create,delete,get,list,patch,watch pods',
      'create,get pods/exec',
      'create,get,patch limitranges/organization',
      'create,get,patch networkpolicies/nothing-in-nothing-out',
      'create,get,patch resourcequotas/organization',
      'create,get,patch serviceaccounts/drydock-sandbox',
      'patch pods/resize',
    ];
    const ofPool = ['create,delete,get,list,patch,update,watch leases', ...ofSandboxes];
    expect(await rulesOf(executor, NAMESPACE)).toEqual(everywhere);
    expect(await rulesOf(executor, 'kube-system')).toEqual(everywhere);
    expect(await rulesOf(executor, 'default')).toEqual([...everywhere, 'get services/kubernetes']);
    expect(await rulesOf(executor, POOL)).toEqual(ofPool.toSorted());
    expect(await rulesOf(executor, `${NAMESPACE}-org-other`)).toEqual(everywhere);
    expect(await rulesOf(executor, `${NAMESPACE}-org-own`)).toEqual(ofSandboxes.toSorted());
  });

  test('the executor’s account may make a namespace for an organisation, work in it, and remove it', async () => {
    const executor = await accountOf(NAMESPACE, 'drydock-executor');
    const namespace = await makeOrganization(executor, 'x');
    const core = executor.makeApiClient(CoreV1Api);
    const mayList = () =>
      core.listNamespacedPod({ namespace }).then(
        ({ items }) => items.length,
        ({ code }) => code,
      );
    await expect.poll(mayList, { timeout: 10_000 }).toBe(0);
    const metadata = { name: 'organization', namespace };
    const objects = [
      { apiVersion: 'v1', kind: 'ServiceAccount', metadata: { name: 'drydock-sandbox', namespace } },
      {
        apiVersion: 'networking.k8s.io/v1',
        kind: 'NetworkPolicy',
        metadata: { name: 'nothing-in-nothing-out', namespace },
        spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
      },
      { apiVersion: 'v1', kind: 'ResourceQuota', metadata, spec: { hard: { pods: '10' } } },
      { apiVersion: 'v1', kind: 'LimitRange', metadata, spec: { limits: [{ type: 'Pod', max: { cpu: '1' } }] } },
    ];
    // Each executor keeps it so, at any time.
    for (let times = 0; times < 2; times++) {
      for (const object of objects) await apply(executor, object);
      await makeOrganization(executor, 'x');
    }
    const { items } = await core.listNamespace({ labelSelector: `drydock.dev/environment=${NAMESPACE}` });
    expect(items.map(({ metadata }) => metadata?.name)).toContain(namespace);
    await core.deleteNamespace({ name: namespace });
    await expect.poll(() => cluster.isGone(namespace), WITHIN).toBe(true);
  });

  test('nobody else is judged by what confines the executor', async () => {
    const metadata = { name: 'somebody', namespace: NAMESPACE };
    await apply(adminConfig(), { ...bindingOf(NAMESPACE, 'view', 'somebody'), metadata });
    await apply(adminConfig(), { apiVersion: 'v1', kind: 'Namespace', metadata: { name: FOREIGN } });
  });

  test.each(PARTS)('the account of %s is refused what would lead further', async (part) => {
    const attempts = attemptsOf(await accountOf(NAMESPACE, `drydock-${part}`), NAMESPACE, NAMESPACE);
    const codeOf = (attempt: () => Promise<unknown>) =>
      attempt().then(
        () => 'done',
        ({ code }) => code,
      );
    const answers = attempts.map(async ([what, attempt]) => [what, await codeOf(attempt)]);
    const refused = Object.fromEntries(attempts.map(([what]) => [what, 403]));
    expect(Object.fromEntries(await Promise.all(answers))).toEqual(refused);
  });

  test('an executor may make pods of users from its range', async () => {
    const core = (await accountOf(NAMESPACE, 'drydock-executor')).makeApiClient(CoreV1Api);
    const { metadata } = await core.createNamespacedPod({
      namespace: POOL,
      body: restrictedPod(LAST_USER),
      dryRun: 'All',
    });
    expect(metadata?.name).toBe('restricted');
  });

  test('an upgrade replaces every pod while programs go on being run, and keeps every secret but executors’', async () => {
    const { [OLD_SECRET]: old, ...before } = await secrets();
    expect(old).toBeDefined();
    const uids = await uidsOf();
    const http = connectHttp(endpoints, key);
    const upgrading = chart.upgrade(upgraded(2));
    const done = upgrading.then(
      () => true,
      () => true,
    );
    const answers: unknown[] = [];
    for (let over = false; !over; over = await Promise.race([done, pause(100, false)])) {
      const { body } = await http('POST', '/v1/executions:run', { language: 'python', source: 'print(1)' });
      answers.push(body.verdict ?? body);
    }
    await upgrading;
    expect(answers.length).toBeGreaterThan(5);
    expect(answers.filter((answer) => answer !== 'ACCEPTED')).toEqual([]);
    expect(await secrets()).toEqual(before);
    expect((await uidsOf()).intersection(uids)).toEqual(new Set());
  });

  test('an organisation’s namespace that was not made to its end is finished by those who come', async () => {
    const executor = await accountOf(NAMESPACE, 'drydock-executor');
    const namespace = `${NAMESPACE}-org-half`;
    expect(await rulesOf(executor, namespace)).toContain('create,delete,get,list,patch,watch pods');
    const { stdout } = await chart.kubectl(['get', 'networkpolicies', `--namespace=${namespace}`, '--output=name']);
    expect(stdout).toBe('networkpolicy.networking.k8s.io/nothing-in-nothing-out');
  });

  test('an organisation’s namespace that somebody removed is made again, with the executor’s rights there', async () => {
    using grpc = connectGrpc(endpoints, key);
    // No warm sandbox has so little disk: one is made for the organisation.
    const make = () => grpc.createSandbox({ limits: ResourceLimits.create({ diskBytes: 32 * 1024 * 1024 }) });
    const { id } = await make();
    await expect.poll(() => sandboxPods([id]), WITHIN).toHaveLength(1);
    const name = (await sandboxPods([id]))[0]!.metadata!.namespace!;
    expect(name).toContain('-org-');
    await grpc.deleteSandbox(id);
    await cluster.core.deleteNamespace({ name });
    await expect.poll(() => cluster.isGone(name), WITHIN).toBe(true);
    const again = await make();
    expect(await grpc.command(again.id, ['echo', 'here'])).toMatchObject({ stdout: 'here\n' });
    await grpc.deleteSandbox(again.id);
  });

  test('with fewer executors the others have the sandboxes of one that is gone, and what runs in them', async () => {
    using grpc = connectGrpc(endpoints, key);
    const made = await Promise.all([1, 2, 3, 4].map(() => grpc.createSandbox()));
    const ids = made.map(({ id }) => id);
    await Promise.all(ids.map((id) => grpc.writeFile(id, 'whose', id)));
    await expect.poll(() => executorsOf(ids), WITHIN).toContain('drydock-executor-1');
    const programs = await Promise.all(ids.map((id) => startDetached(grpc, id, TICKING)));
    await chart.upgrade(upgraded(1));
    const whose = (id: string) =>
      grpc.command(id, ['cat', 'whose']).then(
        ({ stdout }) => stdout,
        ({ reason }) => reason,
      );
    await expect.poll(() => Promise.all(ids.map(whose)), WITHIN).toEqual(ids);
    expect(new Set(await executorsOf(ids))).toEqual(new Set(['drydock-executor-0']));
    const joined = programs.map((program) => collect(grpc.processes.connectProcess(program)));
    const ended = (await Promise.all(joined)).map(({ stdout, exited }) => [stdout, exited.exitCode]);
    expect(ended).toEqual(ids.map(() => [TICKS, 0]));
    await Promise.all(ids.map((id) => grpc.deleteSandbox(id)));
  });

  test('without its database what runs goes on, and who wants more hears when to try again', async () => {
    using grpc = connectGrpc(endpoints, key);
    const { id } = await grpc.createSandbox();
    const command = () => grpc.command(id, ['echo', 'still here']);
    await command();
    const apps = adminConfig().makeApiClient(AppsV1Api);
    const database = { namespace: NAMESPACE, name: 'drydock-postgresql' };
    const { metadata, spec } = await apps.readNamespacedStatefulSet(database);
    await apps.replaceNamespacedStatefulSet({
      ...database,
      body: { metadata: metadata!, spec: { ...spec!, replicas: 0 } },
    });
    await expect.poll(() => podOf('postgresql'), { timeout: 60_000, interval: 200 }).toBe(undefined);
    await expect(grpc.createSandbox()).rejects.toMatchObject({ reason: 'SERVICE_UNAVAILABLE' });
    expect(await command()).toMatchObject({ stdout: 'still here\n' });
    const services = (await podsNow()).filter(({ metadata }) =>
      SERVICES.some((name) => name === componentOf(metadata)),
    );
    const unready = services.filter(({ status }) => !status?.containerStatuses?.every(({ ready }) => ready));
    expect(unready.map(({ metadata }) => metadata?.name)).toEqual([]);
  });

  test('a removal leaves nothing', async () => {
    await chart.uninstall();
    await chart.kubectl(REMOVE_ORGANIZATIONS);
    expect(await cluster.isGone(`${NAMESPACE}-org-own`)).toBe(true);
    await expect.poll(() => cluster.isGone(POOL), WITHIN).toBe(true);
    await expect.poll(left, WITHIN).toEqual([]);
  });
});

function podsOf(documents: string[]): { name: string; spec: V1PodSpec }[] {
  return documents.flatMap((document) => {
    const { metadata, spec } = loadYaml<V1Deployment>(document);
    return spec?.template?.spec ? [{ name: componentOf(metadata), spec: spec.template.spec }] : [];
  });
}

async function podsNow(): Promise<V1Pod[]> {
  return (await cluster.core.listNamespacedPod({ namespace: NAMESPACE })).items;
}

async function podOf(component: string): Promise<V1Pod | undefined> {
  return (await podsNow()).find(({ metadata }) => componentOf(metadata) === component);
}

/** Of the pods of services. */
async function uidsOf(): Promise<Set<string>> {
  const services = (await podsNow()).filter(({ metadata }) => SERVICES.some((name) => name === componentOf(metadata)));
  return new Set(services.map(({ metadata }) => metadata!.uid!));
}

function componentOf(metadata: V1ObjectMeta | undefined): string {
  return metadata?.labels?.['app.kubernetes.io/component'] ?? '';
}

async function secretOf(name: string, key: string): Promise<string> {
  const { data } = await cluster.core.readNamespacedSecret({ namespace: NAMESPACE, name });
  return Buffer.from(data![key]!, 'base64').toString();
}

/** Without the records of releases. */
async function secrets(): Promise<Record<string, unknown>> {
  const { items } = await cluster.core.listNamespacedSecret({ namespace: NAMESPACE });
  return Object.fromEntries(
    items.filter(({ type }) => type !== 'helm.sh/release.v1').map(({ metadata, data }) => [metadata!.name, data]),
  );
}

/** As the executor does; answers with its namespace. */
async function makeOrganization(executor: KubeConfig, id: string): Promise<string> {
  const namespace = namespaceOf(NAMESPACE, id);
  await apply(executor, namespace);
  await apply(executor, bindingOf(namespace.metadata!.name!, SANDBOXES, executorIn(NAMESPACE)));
  return namespace.metadata!.name!;
}

/** The values of a platform that has been upgraded, with so many executors, which leave their sandboxes where they are. */
function upgraded(replicas: number) {
  const executor = { ...values.executor, replicas, drain: { enabled: false } };
  return { ...values, podAnnotations: { upgraded: 'yes' }, executor };
}

async function sandboxPods(sandboxIds: string[]): Promise<V1Pod[]> {
  const labelSelector = `drydock.dev/sandbox in (${sandboxIds.join(',')})`;
  return (await cluster.core.listPodForAllNamespaces({ labelSelector })).items;
}

/** Which executors have these sandboxes, as their pods say. */
async function executorsOf(sandboxIds: string[]): Promise<(string | undefined)[]> {
  return (await sandboxPods(sandboxIds)).map(({ metadata }) => metadata?.labels?.['drydock.dev/executor']);
}

/** Starts a program that outlives the call; answers with what joins it from its first byte. */
async function startDetached(grpc: ReturnType<typeof connectGrpc>, sandboxId: string, source: string) {
  const processId = await startedId(grpc.start(sandboxId, ['python3', '-c', source], { detached: true }));
  return { sandboxId, processId, stdoutOffset: 0, stderrOffset: 0 };
}

/** Which of the parts a service can connect to. */
async function reachable(service: string, parts: string[]): Promise<string[]> {
  const source = `
    const { connect } = net;
    const tried = ${JSON.stringify(parts)}.map((part) => new Promise((resolve) => {
      const [name, port] = part.split(':');
      const socket = connect(Number(port), 'drydock-' + name, () => resolve([part]));
      socket.setTimeout(2000, () => socket.destroy()).on('error', () => {}).on('close', () => resolve([]));
      socket.on('connect', () => socket.destroy());
    }));
    Promise.all(tried).then((found) => console.log(JSON.stringify(found.flat())));`;
  return JSON.parse(await evaluate(service, source));
}

/** Runs JavaScript in a pod of a service; answers with what it printed. */
async function evaluate(service: string, source: string): Promise<string> {
  return evaluateIn((await podOf(service))!.metadata!.name!, source);
}

async function evaluateIn(pod: string, source: string): Promise<string> {
  const command = ['/usr/local/bin/node', '--eval', source];
  return (await chart.kubectl(['exec', `--namespace=${NAMESPACE}`, pod, '--', ...command])).stdout;
}

/** What of the release is there, in its namespace and in the cluster. */
async function left(): Promise<string[]> {
  const { stdout } = await chart.kubectl(['api-resources', '--verbs=list,delete', '--output=name']);
  const kinds = stdout.split('\n').filter((kind) => !/^(events|componentstatuses|.*calico.*)/.test(kind));
  const selector = '--selector=app.kubernetes.io/name=drydock';
  const found = await chart.kubectl(['get', kinds.join(','), '--all-namespaces', selector, '--output=name']);
  return found.stdout.split('\n').filter(Boolean);
}

/** For whoever looks into a failed installation. */
async function whatHappened(): Promise<string> {
  const { stdout: pods } = await chart.kubectl(['get', 'pods', `--namespace=${NAMESPACE}`, '--output=wide']);
  const logs = (await podsNow()).map(async ({ metadata }) => {
    const args = ['logs', `--namespace=${NAMESPACE}`, metadata!.name!, '--all-containers', '--tail=10'];
    const { stdout } = await chart.kubectl(args).catch((error) => ({ stdout: String(error.message) }));
    return `${metadata!.name}\n${stdout}`;
  });
  return [pods, ...(await Promise.all(logs))].join('\n');
}
