import {
  AuthorizationV1Api,
  CoreV1Api,
  KubeConfig,
  NodeV1Api,
  type V1ResourceAttributes,
  VersionApi,
} from '@kubernetes/client-node';
import { CLUSTER_NEEDS } from '../dev-cluster/packages.ts';
import type { Finding } from './doctor.ts';
import { findMissing } from './system-packages.ts';

// Where an executor of `npm start` has its sandboxes.
const NAMESPACE = 'drydock-pool';

/** What an executor does in the namespace of its sandboxes. */
const RIGHTS: V1ResourceAttributes[] = [
  ...['create', 'get', 'list', 'watch', 'patch', 'delete'].map((verb) => ({ verb, resource: 'pods' })),
  { verb: 'get', resource: 'pods', subresource: 'exec' },
  { verb: 'patch', resource: 'pods', subresource: 'resize' },
  ...['namespaces', 'serviceaccounts'].map((resource) => ({ verb: 'patch', resource })),
  { verb: 'patch', resource: 'networkpolicies', group: 'networking.k8s.io' },
];

/** What `npm start -- --backend kubernetes` would find: of a given cluster, or of what one of our own takes. */
export async function examineCluster(kubeconfig: string | undefined): Promise<Finding[]> {
  if (!kubeconfig) return ownCluster();
  const config = new KubeConfig();
  try {
    config.loadFromFile(kubeconfig);
    const { gitVersion } = await config.makeApiClient(VersionApi).getCode();
    const found = `Kubernetes ${gitVersion} at ${config.getCurrentCluster()?.server}`;
    return [{ name: 'cluster', ok: true, found }, await rights(config), await resize(config), await runtimes(config)];
  } catch (error) {
    const found = `${kubeconfig}: ${(error as Error).message.split('\n')[0]}`;
    return [{ name: 'cluster', ok: false, found, fix: 'mend KUBECONFIG, or unset it for a cluster of our own' }];
  }
}

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
  for (const right of RIGHTS) {
    const resourceAttributes = { ...right, namespace: NAMESPACE };
    const { status } = await api.createSelfSubjectAccessReview({ body: { spec: { resourceAttributes } } });
    if (!status?.allowed)
      denied.push([right.verb, [right.resource, right.subresource].filter(Boolean).join('/')].join(' '));
  }
  return {
    name: 'rights',
    ok: denied.length === 0,
    found: denied.length === 0 ? `all that an executor needs in ${NAMESPACE}` : `may not ${denied.join(', ')}`,
    fix: `grant these verbs in ${NAMESPACE}`,
  };
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
