import type { KubernetesObject, V1Namespace } from '@kubernetes/client-node';
import { RANGES } from '#libs/catalog/limits.ts';
import type { Tenant } from '../tenant.ts';
import { AGENT_VOLUME_BYTES, SERVICE_ACCOUNT } from './pod.ts';

/** Labels of a namespace of sandboxes: its environment and its organisation. */
export const ENVIRONMENT_LABEL = 'drydock.dev/environment';
export const ORGANIZATION_LABEL = 'drydock.dev/organization';
/** The quota of sandboxes of its organisation, for every executor that restores the namespace. */
const SANDBOXES_ANNOTATION = 'drydock.dev/sandboxes';
/** When it last held a pod, to the minute. An annotation outlives the executor that saw it. */
export const USED_ANNOTATION = 'drydock.dev/used-time';

/** Field manager of the objects in it. */
export const FIELD_MANAGER = 'drydock-executor';
/** Name of an organisation's ResourceQuota and LimitRange. */
export const QUOTA = 'organization';

// Terminating pods count until they are deleted, and so do warm pods that are reserved for the organisation.
const PODS_PER_SANDBOX = 2;
const DEFAULT_MEMORY = '512Mi';
const DEFAULT_CPU = '500m';
const MiB = 1024 * 1024;

/** The organisation of a namespace, with its quota of sandboxes. */
export type Owner = Pick<Tenant, 'organizationId' | 'sandboxes'>;

export type NamespacePlan = {
  name: string;
  environment: string;
  /** Null for the shared namespace. */
  owner: Owner | null;
  /** When it was last used, in milliseconds since 1970. */
  usedAt: number;
  /** The cluster role of executors, and the user that binds it to itself; absent if its rights are cluster-wide. */
  binding: { role: string; user: string } | undefined;
};

/**
 * The objects of a namespace for sandboxes, in the order of their creation: Pod Security `restricted`, a NetworkPolicy that denies
 * everything, and the quota of its organisation.
 */
export function objectsOf({ name, environment, owner, usedAt, binding }: NamespacePlan): KubernetesObject[] {
  const enforced = ['enforce', 'audit', 'warn'].map((mode) => [`pod-security.kubernetes.io/${mode}`, 'restricted']);
  const organization = owner ? { [ORGANIZATION_LABEL]: owner.organizationId } : {};
  const noted = owner
    ? { [SANDBOXES_ANNOTATION]: String(owner.sandboxes), [USED_ANNOTATION]: new Date(usedAt).toISOString() }
    : {};
  const shared = [
    {
      apiVersion: 'v1',
      kind: 'Namespace',
      metadata: {
        name,
        labels: { ...Object.fromEntries(enforced), [ENVIRONMENT_LABEL]: environment, ...organization },
        annotations: noted,
      },
    },
    ...(owner && binding ? [bindingOf(name, binding)] : []),
    // The default account of a namespace exists only after a while.
    {
      apiVersion: 'v1',
      kind: 'ServiceAccount',
      metadata: { name: SERVICE_ACCOUNT, namespace: name },
      automountServiceAccountToken: false,
    },
    {
      apiVersion: 'networking.k8s.io/v1',
      kind: 'NetworkPolicy',
      metadata: { name: 'nothing-in-nothing-out', namespace: name },
      spec: { podSelector: {}, policyTypes: ['Ingress', 'Egress'] },
    },
  ];
  return owner ? [...shared, quotaOf(name, owner), limitsOf(name)] : shared;
}

/** Gives an executor its rights in this namespace alone. */
export function bindingOf(namespace: string, { role, user }: { role: string; user: string }) {
  const apiGroup = 'rbac.authorization.k8s.io';
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: FIELD_MANAGER, namespace },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup, kind: 'User', name: user }],
  };
}

/** Enough for the organisation's number of the largest sandboxes, and nothing but pods. Session enforces the exact number. */
function quotaOf(namespace: string, { sandboxes }: Owner) {
  const pods = sandboxes * PODS_PER_SANDBOX;
  const memory = `${(pods * RANGES.memoryBytes.max) / MiB}Mi`;
  const cpu = String(pods * RANGES.cpus.max);
  return {
    apiVersion: 'v1',
    kind: 'ResourceQuota',
    metadata: { name: QUOTA, namespace },
    spec: {
      hard: {
        pods: String(pods),
        'requests.memory': memory,
        'limits.memory': memory,
        'requests.cpu': cpu,
        'limits.cpu': cpu,
        services: '0',
        secrets: '0',
        persistentvolumeclaims: '0',
      },
    },
  };
}

/** Bounds every container by the limits of the largest sandbox, and gives default limits to containers without. */
function limitsOf(namespace: string) {
  const usual = { memory: DEFAULT_MEMORY, cpu: DEFAULT_CPU };
  const max = {
    memory: String(RANGES.memoryBytes.max),
    cpu: String(RANGES.cpus.max),
    'ephemeral-storage': String(AGENT_VOLUME_BYTES + RANGES.diskBytes.max),
  };
  return {
    apiVersion: 'v1',
    kind: 'LimitRange',
    metadata: { name: QUOTA, namespace },
    spec: { limits: [{ type: 'Container', max, default: usual, defaultRequest: usual }] },
  };
}

/** The organisation in the labels of a namespace; null if it belongs to none. */
export function ownerOf({ metadata }: V1Namespace): Owner | null {
  const organizationId = metadata?.labels?.[ORGANIZATION_LABEL];
  if (!organizationId) return null;
  // Without the annotation the quota is 1 until the next sandbox sets it.
  return { organizationId, sandboxes: Number(metadata?.annotations?.[SANDBOXES_ANNOTATION]) || 1 };
}

/** When a namespace was last used by its annotation, in milliseconds since 1970; undefined without one. */
export function usedAtOf({ metadata }: V1Namespace): number | undefined {
  return Date.parse(metadata?.annotations?.[USED_ANNOTATION] ?? '') || undefined;
}

/** The name of an organisation's namespace. */
export function namespaceOf(environment: string, organizationId: string): string {
  return `${environment}-${organizationId.replaceAll('_', '-')}`;
}

/** The name of the namespace that organisations share. */
export function sharedNamespaceOf(environment: string): string {
  return `${environment}-pool`;
}
