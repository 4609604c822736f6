import {
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  NetworkingV1Api,
  RbacAuthorizationV1Api,
} from '@kubernetes/client-node';
import { inject } from 'vitest';

const TOKEN_SECONDS = 600;

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

/** What an executor that is taken over might try, with its account: namespace of the services, and of sandboxes. */
export function attemptsOf(account: KubeConfig, control: string, pool: string): [string, () => Promise<unknown>][] {
  const core = account.makeApiClient(CoreV1Api);
  const rights = account.makeApiClient(RbacAuthorizationV1Api);
  const networking = account.makeApiClient(NetworkingV1Api);
  const metadata = { name: 'mine' };
  const pod = {
    metadata,
    spec: { containers: [{ name: 'main', image: 'any', securityContext: { privileged: true } }] },
  };
  const role = { apiGroup: 'rbac.authorization.k8s.io', kind: 'ClusterRole', name: 'cluster-admin' };
  const inPool = { namespace: pool };
  return [
    ['pods of the control plane', () => core.listNamespacedPod({ namespace: control })],
    ['a pod in the control plane', () => core.createNamespacedPod({ namespace: control, body: pod })],
    ['a pod elsewhere', () => core.createNamespacedPod({ namespace: 'default', body: pod })],
    ['pods of everybody', () => core.listPodForAllNamespaces()],
    ['a privileged pod among sandboxes', () => core.createNamespacedPod({ ...inPool, body: pod })],
    ['all pods at once', () => core.deleteCollectionNamespacedPod(inPool)],
    ['the database’s password', () => core.readNamespacedSecret({ namespace: control, name: 'drydock-postgresql' })],
    ['secrets among sandboxes', () => core.listNamespacedSecret(inPool)],
    ['a secret among sandboxes', () => core.createNamespacedSecret({ ...inPool, body: { metadata } })],
    ['a namespace', () => core.createNamespace({ body: { metadata } })],
    ['the end of its own', () => core.deleteNamespace({ name: pool })],
    ['another’s labels', () => core.patchNamespace({ name: control, body: [] })],
    ['nodes', () => core.listNode()],
    ['another policy', () => networking.createNamespacedNetworkPolicy({ ...inPool, body: { metadata } })],
    [
      'the end of the policy',
      () => networking.deleteNamespacedNetworkPolicy({ ...inPool, name: 'nothing-in-nothing-out' }),
    ],
    ['rights', () => rights.createNamespacedRoleBinding({ ...inPool, body: { metadata, roleRef: role } })],
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
