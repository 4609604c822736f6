import type { KubernetesObject, V1Namespace } from '@kubernetes/client-node';
import { RANGES } from '#libs/catalog/limits.ts';
import type { Tenant } from '../tenant.ts';
import { AGENT_VOLUME_BYTES, SERVICE_ACCOUNT } from './pod.ts';

/** What a namespace of sandboxes is found by: whose environment it is of, and of which organisation. */
export const ENVIRONMENT_LABEL = 'drydock.dev/environment';
export const ORGANIZATION_LABEL = 'drydock.dev/organization';
/** How many sandboxes its organisation may have, so that whoever keeps it knows. */
const SANDBOXES_ANNOTATION = 'drydock.dev/sandboxes';
/** When it last held something, to the minute, so that this outlives the executor that saw it. */
export const USED_ANNOTATION = 'drydock.dev/used-time';

/** Who applies what is in it. */
export const FIELD_MANAGER = 'drydock-executor';
/** Name of an organisation's ResourceQuota and LimitRange. */
export const QUOTA = 'organization';

// Sandboxes that end count until they are gone, and those that wait for their organisation count too.
const PODS_PER_SANDBOX = 2;
const DEFAULT_MEMORY = '512Mi';
const DEFAULT_CPU = '500m';
const MiB = 1024 * 1024;

/** The organisation whose a namespace is. */
export type Owner = Pick<Tenant, 'organizationId' | 'sandboxes'>;

export type NamespacePlan = {
  name: string;
  environment: string;
  /** Null for the one in which sandboxes wait for whoever comes. */
  owner: Owner | null;
  /** When it was last used, in milliseconds since 1970. */
  usedAt: number;
  /** The cluster role of whoever keeps sandboxes, and the user who binds it to itself here; absent where it needs none. */
  binding: { role: string; user: string } | undefined;
};

/**
 * What a namespace for sandboxes consists of, in the order in which it is to be made: Pod Security `restricted`, nothing comes
 * in or goes out, and for an organisation no more than its quota.
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
    // Not the namespace's default one: that is there only after a while.
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

/** In its namespace alone, an executor may do what it does with sandboxes. */
function bindingOf(namespace: string, { role, user }: { role: string; user: string }) {
  const apiGroup = 'rbac.authorization.k8s.io';
  return {
    apiVersion: `${apiGroup}/v1`,
    kind: 'RoleBinding',
    metadata: { name: FIELD_MANAGER, namespace },
    roleRef: { apiGroup, kind: 'ClusterRole', name: role },
    subjects: [{ apiGroup, kind: 'User', name: user }],
  };
}

/** As much as so many of the greediest sandboxes, and nothing but pods. Session counts before, and to the sandbox. */
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

/** No container has more than a sandbox may ask for, and none has no limit. */
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

/** Whose a namespace is, as it says itself; null for one that is no organisation's. */
export function ownerOf({ metadata }: V1Namespace): Owner | null {
  const organizationId = metadata?.labels?.[ORGANIZATION_LABEL];
  if (!organizationId) return null;
  // Where somebody has removed it, the next sandbox says how many.
  return { organizationId, sandboxes: Number(metadata?.annotations?.[SANDBOXES_ANNOTATION]) || 1 };
}

/** When a namespace was last used, as it says itself, in milliseconds since 1970; nothing where it does not say. */
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
