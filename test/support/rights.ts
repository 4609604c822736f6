import {
  AdmissionregistrationV1Api,
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  type KubernetesObject,
  KubernetesObjectApi,
  NetworkingV1Api,
  PatchStrategy,
  RbacAuthorizationV1Api,
  type V1Pod,
  type V1ValidatingWebhook,
} from '@kubernetes/client-node';
import { inject } from 'vitest';

const TOKEN_SECONDS = 600;
const ENFORCE = 'pod-security.kubernetes.io/enforce';

/** Whoever may do everything in the project's cluster. */
export function adminConfig(): KubeConfig {
  const config = new KubeConfig();
  config.loadFromFile(inject('cluster').kubeconfig);
  return config;
}

/** Whoever has a token of a service account. */
export async function accountOf(namespace: string, name: string): Promise<KubeConfig> {
  const admin = adminConfig();
  const body = { spec: { audiences: [], expirationSeconds: TOKEN_SECONDS } };
  const core = admin.makeApiClient(CoreV1Api);
  const { status } = await core.createNamespacedServiceAccountToken({ namespace, name, body });
  const config = new KubeConfig();
  config.loadFromClusterAndUser(admin.getCurrentCluster()!, { name, token: status?.token ?? '' });
  return config;
}

/** What an account may do in a namespace beyond what everybody may: verbs, and a resource with the one name of it. */
export async function rulesOf(account: KubeConfig, namespace: string): Promise<string[]> {
  const api = account.makeApiClient(AuthorizationV1Api);
  const { status } = await api.createSelfSubjectRulesReview({ body: { spec: { namespace } } });
  const own = status!.resourceRules.filter(({ resources = [] }) => !resources.some((name) => name.startsWith('self')));
  return own
    .flatMap(({ verbs, resources = [], resourceNames = [] }) =>
      resources.map((resource) => `${verbs.toSorted()} ${[resource, ...resourceNames].join('/')}`),
    )
    .sort();
}

/** Makes an object, or brings it to this, as an executor does. */
export function apply(account: KubeConfig, object: KubernetesObject): Promise<unknown> {
  const api = KubernetesObjectApi.makeApiClient(account);
  return api.patch(object, undefined, undefined, 'drydock-executor', true, PatchStrategy.ServerSideApply);
}

/** An organisation's namespace in an environment, as an executor makes it. */
export function namespaceOf(prefix: string, id: string, more: Record<string, string> = {}): KubernetesObject {
  const labels = {
    'drydock.dev/environment': prefix,
    'drydock.dev/organization': `org_${id}`,
    [ENFORCE]: 'restricted',
    ...more,
  };
  return { apiVersion: 'v1', kind: 'Namespace', metadata: { name: `${prefix}-org-${id}`, labels } };
}

/** Has the API server ask a webhook, named like a host, before it makes or changes pods. Disposing removes it. */
export async function askBeforePods(
  name: string,
  operation: 'CREATE' | 'UPDATE',
  which: Pick<V1ValidatingWebhook, 'clientConfig' | 'namespaceSelector' | 'objectSelector'>,
): Promise<AsyncDisposable> {
  const api = adminConfig().makeApiClient(AdmissionregistrationV1Api);
  const rules = [{ operations: [operation], apiGroups: [''], apiVersions: ['v1'], resources: ['pods'] }];
  const webhook = { name, admissionReviewVersions: ['v1'], sideEffects: 'None', rules, ...which };
  await api.createValidatingWebhookConfiguration({ body: { metadata: { name }, webhooks: [webhook] } });
  return { [Symbol.asyncDispose]: async () => void (await api.deleteValidatingWebhookConfiguration({ name })) };
}

/** By which a user has a role in a namespace, as an executor makes it. */
export function bindingOf(namespace: string, role: string, user: string, kind = 'ClusterRole') {
  const apiGroup = 'rbac.authorization.k8s.io';
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: 'drydock-executor', namespace },
    roleRef: { apiGroup, kind, name: role },
    subjects: [{ apiGroup, kind: 'User', name: user }],
  };
}

/** By which the API server knows an executor of the chart. */
export function executorIn(control: string): string {
  return `system:serviceaccount:${control}:drydock-executor`;
}

/** By the chart's defaults. */
const FIRST_USER = 2_100_000_000;
export const LAST_USER = FIRST_USER + 1_000 * 4_096 - 1;

/** A pod that Pod Security lets in, and the pool's quota. */
export function restrictedPod(user: number, more: object = {}): V1Pod {
  const securityContext = { allowPrivilegeEscalation: false, capabilities: { drop: ['ALL'] } };
  const seccompProfile = { type: 'RuntimeDefault' };
  return {
    metadata: { name: 'restricted' },
    spec: {
      serviceAccountName: 'drydock-sandbox',
      securityContext: { runAsNonRoot: true, runAsUser: user, runAsGroup: user, seccompProfile, ...more },
      containers: [{ name: 'main', image: 'any', securityContext }],
    },
  };
}

/**
 * What an executor that is taken over might try, with its account: namespace of the services, prefix of those of sandboxes. It
 * is bound in that of the organisation `own`, and not in that of `other`; that of `foreign` somebody else has made.
 */
export function attemptsOf(account: KubeConfig, control: string, prefix: string): [string, () => Promise<unknown>][] {
  const pool = `${prefix}-pool`;
  const own = `${prefix}-org-own`;
  const other = `${prefix}-org-other`;
  const foreign = `${prefix}-org-foreign`;
  const sandboxes = `${prefix}-sandboxes`;
  const user = executorIn(control);
  const core = account.makeApiClient(CoreV1Api);
  const rights = account.makeApiClient(RbacAuthorizationV1Api);
  const networking = account.makeApiClient(NetworkingV1Api);
  const bind = (namespace: string, name: string, to: string) => () => apply(account, bindingOf(namespace, name, to));
  const make = (id: string, labels: Record<string, string>) => () => apply(account, namespaceOf(prefix, id, labels));
  const change = (name: string, path: string, value: unknown) => () =>
    core.patchNamespace({ name, body: [{ op: 'add', path: `/metadata/${path}`, value }] });
  const relabel = (name: string, label: string, value: string) =>
    change(name, `labels/${label.replaceAll('/', '~1')}`, value);
  const nobody = { apiVersion: 'v1', kind: 'Node', name: 'none', uid: '00000000-0000-0000-0000-000000000000' };
  const metadata = { name: 'mine' };
  const inPool = { namespace: pool };
  const pod = {
    metadata,
    spec: { containers: [{ name: 'main', image: 'any', securityContext: { privileged: true } }] },
  };
  const ofUser =
    (user: number, more: object = {}) =>
    () =>
      core.createNamespacedPod({ ...inPool, body: restrictedPod(user, more), dryRun: 'All' });
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  return [
    ['pods of the control plane', () => core.listNamespacedPod({ namespace: control })],
    ['a pod in the control plane', () => core.createNamespacedPod({ namespace: control, body: pod })],
    ['a pod elsewhere', () => core.createNamespacedPod({ namespace: 'default', body: pod })],
    ['pods of everybody', () => core.listPodForAllNamespaces()],
    ['a privileged pod among sandboxes', () => core.createNamespacedPod({ ...inPool, body: pod })],
    ['a pod of a user of its node', ofUser(1000)],
    ['a pod of a user after the last', ofUser(LAST_USER + 1)],
    ['a pod of a group of its node', ofUser(FIRST_USER, { runAsGroup: 1000 })],
    ['a pod of more groups', ofUser(FIRST_USER, { supplementalGroups: [1000] })],
    ['all pods at once', () => core.deleteCollectionNamespacedPod(inPool)],
    ['the database’s password', () => core.readNamespacedSecret({ namespace: control, name: 'drydock-postgresql' })],
    ['secrets among sandboxes', () => core.listNamespacedSecret(inPool)],
    ['a secret among sandboxes', () => core.createNamespacedSecret({ ...inPool, body: { metadata } })],
    ['a namespace', () => core.createNamespace({ body: { metadata } })],
    ['a namespace of another environment', () => apply(account, namespaceOf(`${prefix}-org`, 'mine'))],
    ['a namespace that is not restricted', make('mine', { [ENFORCE]: 'privileged' })],
    ['a namespace that is what was restricted once', make('mine', { [`${ENFORCE}-version`]: 'v1.0' })],
    ['a namespace of no environment', make('mine', { 'drydock.dev/environment': 'mine' })],
    ['a privileged organisation', relabel(own, ENFORCE, 'privileged')],
    ['a privileged pool', relabel(pool, ENFORCE, 'privileged')],
    ['an organisation of nobody', relabel(own, 'drydock.dev/environment', 'mine')],
    ['a pool of another environment', relabel(pool, 'drydock.dev/environment', 'mine')],
    ['a pool that is an organisation’s', relabel(pool, 'drydock.dev/organization', 'org_mine')],
    ['a pool whose owner is gone', change(pool, 'ownerReferences', [nobody])],
    ['an organisation that cannot be removed', change(own, 'finalizers', ['example.com/mine'])],
    ['a label that others go by', relabel(own, 'example.com/exempt', 'true')],
    ['an annotation that others go by', change(own, 'annotations', { 'example.com/exempt': 'true' })],
    ['the end of its own', () => core.deleteNamespace({ name: pool })],
    // Dry, which is judged as any other: what is tried last is not to take the rest with it.
    ['the end of another', () => core.deleteNamespace({ name: control, dryRun: 'All' })],
    ['the end of one of somebody else', () => core.deleteNamespace({ name: foreign })],
    ['one of somebody else', make('foreign', {})],
    ['its rights in one of somebody else', bind(foreign, sandboxes, user)],
    ['another’s labels', () => core.patchNamespace({ name: control, body: [] })],
    ['pods of a namespace before it is bound there', () => core.listNamespacedPod({ namespace: other })],
    ['secrets of a namespace before it is bound there', () => core.listNamespacedSecret({ namespace: other })],
    ['secrets of an organisation', () => core.listNamespacedSecret({ namespace: own })],
    ['a privileged pod of an organisation', () => core.createNamespacedPod({ namespace: own, body: pod })],
    ['nodes', () => core.listNode()],
    ['another policy', () => networking.createNamespacedNetworkPolicy({ ...inPool, body: { metadata } })],
    [
      'the end of the policy',
      () => networking.deleteNamespacedNetworkPolicy({ ...inPool, name: 'nothing-in-nothing-out' }),
    ],
    ['rights', () => rights.createNamespacedRoleBinding({ ...inPool, body: { metadata, roleRef: role } })],
    ['its rights in the control plane', bind(control, sandboxes, user)],
    ['its rights in the system', bind('kube-system', sandboxes, user)],
    ['its leases for somebody else', () => apply(account, bindingOf(pool, 'drydock-executor', 'mallory', 'Role'))],
    ['all rights in an organisation', bind(other, 'cluster-admin', user)],
    ['other rights in an organisation', bind(other, 'system:discovery', user)],
    ['its rights for somebody else', bind(other, sandboxes, 'mallory')],
    ['its rights for somebody else, too', bind(own, sandboxes, 'mallory')],
    ['rights everywhere', () => rights.createClusterRoleBinding({ body: { metadata, roleRef: role } })],
    [
      'a token',
      () =>
        core.createNamespacedServiceAccountToken({
          namespace: control,
          name: 'drydock-executor',
          body: { spec: { audiences: [] } },
        }),
    ],
  ];
}
