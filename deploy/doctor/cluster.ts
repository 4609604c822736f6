import {
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  NodeV1Api,
  type V1NodeRuntimeHandler,
  type V1ResourceAttributes,
  VersionApi,
} from '@kubernetes/client-node';
import { CLUSTER_NEEDS } from '../dev-cluster/packages.ts';
import { findMissing } from '../host/system-packages.ts';
import type { Finding } from './finding.ts';

const KEEP = ['get', 'create', 'patch'];

/**
 * What an executor does in every namespace with sandboxes, and has to be allowed in all: it makes them for organisations as
 * they come. One of `npm start` binds itself to no role there (`KUBERNETES_ROLE`), so it need not be allowed to.
 */
const RIGHTS: V1ResourceAttributes[] = [
  ...allOf(['create', 'get', 'list', 'watch', 'patch', 'delete'], { resource: 'pods' }),
  // Since Kubernetes 1.35 a stream into a pod takes `create`, whatever opens it.
  ...allOf(['create', 'get'], { resource: 'pods', subresource: 'exec' }),
  { verb: 'patch', resource: 'pods', subresource: 'resize' },
  ...allOf(['create', 'get', 'list', 'patch', 'delete'], { resource: 'namespaces' }),
  ...['serviceaccounts', 'resourcequotas', 'limitranges'].flatMap((resource) => allOf(KEEP, { resource })),
  ...allOf(KEEP, { resource: 'networkpolicies', group: 'networking.k8s.io' }),
  { verb: 'get', resource: 'services', namespace: 'default', name: 'kubernetes' },
  ...allOf(['create', 'get', 'list', 'watch', 'update', 'patch', 'delete'], {
    resource: 'leases',
    group: 'coordination.k8s.io',
  }),
];

/** What `npm start -- --backend kubernetes` would find: of a given cluster, or of what one of our own takes. */
export async function examineCluster(kubeconfig: string | undefined): Promise<Finding[]> {
  if (!kubeconfig) return ownCluster();
  const config = new KubeConfig();
  try {
    config.loadFromFile(kubeconfig);
    const { gitVersion } = await config.makeApiClient(VersionApi).getCode();
    const found = `Kubernetes ${gitVersion} at ${config.getCurrentCluster()?.server}`;
    return [
      { name: 'cluster', ok: true, found },
      await rights(config),
      await resize(config),
      await runtimes(config),
      await userNamespaces(config),
      USERS,
    ];
  } catch (error) {
    const found = `${kubeconfig}: ${(error as Error).message.split('\n')[0]}`;
    return [{ name: 'cluster', ok: false, found, fix: 'mend KUBECONFIG, or unset it for a cluster of our own' }];
  }
}

/** No API tells it: users of nodes are in their files. */
const USERS: Finding = {
  name: 'users of sandboxes',
  ok: true,
  found: 'not asked: that nobody on a node has their ids, which are those of their executor',
};

async function ownCluster(): Promise<Finding[]> {
  const root = process.getuid?.() === 0;
  const missing = [...new Set((await findMissing(CLUSTER_NEEDS)).map((need) => need.package))];
  return [
    {
      name: 'cluster',
      ok: root,
      found: root
        ? 'KUBECONFIG is not set; npm start brings its own'
        : 'KUBECONFIG is not set, and an own one needs root',
      fix: 'set KUBECONFIG, or run npm start as root',
    },
    {
      name: 'packages of a cluster',
      ok: missing.length === 0,
      found: missing.length === 0 ? 'all there' : `missing: ${missing.join(', ')}`,
      fix: `apt-get install -y --no-install-recommends ${missing.join(' ')} (npm start does it as root on Debian and Ubuntu)`,
    },
  ];
}

async function rights(config: KubeConfig): Promise<Finding> {
  const api = config.makeApiClient(AuthorizationV1Api);
  const denied: string[] = [];
  for (const resourceAttributes of RIGHTS) {
    const { status } = await api.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } });
    if (status?.allowed) continue;
    const { verb, resource, subresource } = resourceAttributes;
    denied.push(`${verb} ${[resource, subresource].filter(Boolean).join('/')}`);
  }
  return {
    name: 'rights',
    ok: denied.length === 0,
    found: denied.length === 0 ? 'all that an executor needs' : `may not ${denied.join(', ')}`,
    fix: 'grant these verbs in all namespaces: executors make some as organisations come',
  };
}

function allOf(verbs: string[], resource: V1ResourceAttributes): V1ResourceAttributes[] {
  return verbs.map((verb) => ({ verb, ...resource }));
}

async function resize(config: KubeConfig): Promise<Finding> {
  const { resources } = await config.makeApiClient(CoreV1Api).getAPIResources();
  const ok = resources.some(({ name }) => name === 'pods/resize');
  const found = ok ? 'in place' : 'none: other limits than the template’s take a pod of their own';
  return { name: 'resize of pods', ok, found, fix: 'Kubernetes 1.33 or newer', optional: true };
}

async function runtimes(config: KubeConfig): Promise<Finding> {
  const classes = await config
    .makeApiClient(NodeV1Api)
    .listRuntimeClass()
    .catch(() => undefined);
  const names = classes?.items.map(({ metadata }) => metadata?.name).join(', ');
  return {
    name: 'RuntimeClasses',
    ok: Boolean(names),
    found: names || (classes ? 'none; templates cannot ask for one' : 'may not be listed'),
    fix: 'install gVisor on the nodes and name it in a RuntimeClass',
    optional: true,
  };
}

/** Whether pods may be without users of their node, by what nodes say of their runtime and kernel; since Kubernetes 1.31. */
async function userNamespaces(config: KubeConfig): Promise<Finding> {
  const nodes = await config
    .makeApiClient(CoreV1Api)
    .listNode()
    .catch(() => undefined);
  const without = nodes?.items.filter(({ status }) => !status?.runtimeHandlers?.some(hasUserNamespaces)) ?? [];
  const lacking = without.map(({ metadata, status }) => {
    const { containerRuntimeVersion: runtime, kernelVersion: kernel } = status?.nodeInfo ?? {};
    return `${metadata?.name} (${runtime}, Linux ${kernel})`;
  });
  const all = 'every node has them; KUBERNETES_HOST_USERS=false gives each pod one, which is untested';
  return {
    name: 'user namespaces of pods',
    ok: nodes !== undefined && lacking.length === 0,
    found: nodes ? (lacking.length === 0 ? all : `none on ${lacking.join(', ')}`) : 'nodes may not be listed',
    fix: 'Kubernetes 1.33, containerd 2.0 and Linux 6.3, or newer; without them pods have ids of their executor (KUBERNETES_HOST_USERS=true)',
    optional: true,
  };
}

/** Of the handler of pods that ask for none. */
function hasUserNamespaces({ name, features }: V1NodeRuntimeHandler): boolean {
  return !name && features?.userNamespaces === true;
}
