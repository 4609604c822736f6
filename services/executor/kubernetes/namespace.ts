import { type KubeConfig, type KubernetesObject, KubernetesObjectApi, PatchStrategy } from '@kubernetes/client-node';

const FIELD_MANAGER = 'drydock-executor';
/** Of every sandbox; it may do nothing, and its token reaches none. */
export const SERVICE_ACCOUNT = 'drydock-sandbox';

/**
 * Makes and keeps a namespace for sandboxes: Pod Security `restricted`, and nothing comes in or goes out. May be repeated,
 * by any number of executors at once. Errors: what the API server says.
 */
export async function keepNamespace(config: KubeConfig, namespace: string): Promise<void> {
  const api = KubernetesObjectApi.makeApiClient(config);
  for (const object of objectsOf(namespace))
    await api.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
}

function objectsOf(namespace: string): KubernetesObject[] {
  const enforced = ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']);
  return [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: { name: namespace, labels: Object.fromEntries(enforced) },
    },
    // Not the namespace's default one: that is there only after a while.
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: SERVICE_ACCOUNT, namespace },
      automountServiceAccountToken: false,
    } as KubernetesObject,
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'nothing-in-nothing-out', namespace },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    } as KubernetesObject,
  ];
}
