import { setTimeout as pause } from 'node:timers/promises';
import {
  AuthenticationV1Api,
  CoreV1Api,
  type KubeConfig,
  KubernetesObjectApi,
  PatchStrategy,
  type V1Namespace,
} from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { eachOf } from '../each-of.ts';
import { hasCode, isTerminating, messageOf } from './api-errors.ts';
import { untilConfined, untilPodsConfined } from './confinement.ts';
import {
  ENVIRONMENT_LABEL,
  FIELD_MANAGER,
  type NamespacePlan,
  namespaceOf,
  type Owner,
  objectsOf,
  ownerOf,
  QUOTA,
  sharedNamespaceOf,
  usedAtOf,
} from './namespace.ts';
import { listPods, type Pods } from './pods.ts';

const KEEP_INTERVAL_MS = 60_000;
// Rights and the usage of a quota take effect a moment after they were created.
const SETTLED_MS = 10_000;
const POLL_MS = 20;

export type NamespacesOptions = {
  config: KubeConfig;
  /** Prefix of the names of this environment's namespaces. */
  environment: string;
  /** Cluster role that an executor binds itself to in a namespace that it creates; absent if its rights are cluster-wide. */
  role: string | undefined;
  /** How long an organisation's empty namespace is kept. */
  idleMs: number;
  pods: Pods;
  /** Ends a wait for policies: its reason is thrown. */
  signal: AbortSignal;
  log: Logger;
};

/** The namespaces of sandboxes: one that organisations share, and one for each that lately had instances reserved for it. */
export type Namespaces = AsyncDisposable & {
  /** The namespace for an organisation's reserved instances, or the shared one for null; created if there is none. */
  of(owner: Owner | null): Promise<string>;
  /** Names of the namespaces of every executor of this environment, except terminating ones. */
  list(): Promise<string[]>;
  /** Whether the namespace exists, even if it is terminating. */
  exists(name: string): Promise<boolean>;
  /** Drops what is known of a namespace that was removed. */
  forget(name: string): Promise<void>;
  /** Removes the namespace of an organisation with everything in it. Succeeds if there is none. */
  remove(organizationId: string): Promise<void>;
};

/** `made` resolves when the namespace has all its objects and its pods are followed. `usedAt`: milliseconds since 1970. */
type Kept = { owner: Owner | null; made: Promise<void>; usedAt: number };

type State = NamespacesOptions & {
  api: CoreV1Api;
  objects: KubernetesObjectApi;
  binding: NamespacePlan['binding'];
  shared: string;
  kept: Map<string, Kept>;
};

/**
 * Creates the shared namespace, and from then on restores every namespace each minute. With a role it waits for the policies that
 * confine it. Errors: those of the API server.
 */
export async function openNamespaces(options: NamespacesOptions): Promise<Namespaces> {
  const { config, environment, role, signal, log } = options;
  const state: State = {
    ...options,
    api: config.makeApiClient(CoreV1Api),
    // One client for all: it asks the API server once which kinds of objects there are.
    objects: KubernetesObjectApi.makeApiClient(config),
    binding: role ? { role, user: await userOf(config) } : undefined,
    shared: sharedNamespaceOf(environment),
    kept: new Map(),
  };
  const { objects, binding } = state;
  const confinement = { objects, environment, signal, log };
  if (binding) await untilConfined({ ...confinement, binding });
  await use(state, null);
  if (binding) await untilPodsConfined(confinement);
  const periodic = every(KEEP_INTERVAL_MS, log, () => keepAll(state));
  return {
    of: (owner) => use(state, owner),
    list: () => list(state),
    exists: (name) => exists(state, name),
    forget: (name) => forget(state, name),
    remove: (organizationId) => remove(state, namespaceOf(environment, organizationId)),
    [Symbol.asyncDispose]: () => periodic[Symbol.asyncDispose](),
  };
}

async function use(state: State, owner: Owner | null): Promise<string> {
  const { environment, shared, kept } = state;
  const name = owner ? namespaceOf(environment, owner.organizationId) : shared;
  const known = kept.get(name);
  const current = known && known.owner?.sandboxes === owner?.sandboxes ? known : make(state, name, owner, Date.now());
  kept.set(name, current);
  current.usedAt = Date.now();
  await current.made;
  return name;
}

function make(state: State, name: string, owner: Owner | null, usedAt: number): Kept {
  const { kept, pods } = state;
  const made = (async () => {
    await keep(state, name, { owner, usedAt }).catch((cause) => {
      kept.delete(name);
      throw new Error(`namespace ${name} cannot be kept: ${messageOf(cause)}`, { cause });
    });
    await pods.follow(name);
  })();
  return { owner, made, usedAt };
}

function keep({ api, objects, environment, binding }: State, name: string, kept: Pick<Kept, 'owner' | 'usedAt'>) {
  const { owner, usedAt } = kept;
  return keepNamespace({ api, objects }, { name, environment, owner, usedAt, binding });
}

async function forget({ kept, pods }: State, name: string): Promise<void> {
  kept.delete(name);
  await pods.forget(name);
}

async function remove(state: State, name: string): Promise<void> {
  await state.api.deleteNamespace({ name }).catch((error) => {
    if (!hasCode(error, 404)) throw error;
  });
  await forget(state, name);
}

function exists({ api }: State, name: string): Promise<boolean> {
  return api.readNamespace({ name }).then(
    () => true,
    (error) => {
      if (hasCode(error, 404)) return false;
      throw error;
    },
  );
}

async function list(state: State): Promise<string[]> {
  const { api, environment, shared, kept } = state;
  await Promise.allSettled([...kept.values()].map(({ made }) => made));
  const labelSelector = `${ENVIRONMENT_LABEL}=${environment}`;
  const { items } = await api.listNamespace({ labelSelector }).catch((cause) => {
    throw new Error(`namespaces cannot be listed: ${messageOf(cause)}`, { cause });
  });
  const ownerIn = (each: V1Namespace) => ownerOf(each) ?? kept.get(nameIn(each))?.owner ?? null;
  const isOurs = (each: V1Namespace) => nameIn(each) === shared || ownerIn(each) !== null;
  const lasting = items.filter((each) => isOurs(each) && !each.metadata?.deletionTimestamp);
  await eachOf(lasting, (each) => follow(state, nameIn(each), ownerIn(each), usedAtOf(each)));
  return lasting.map(nameIn);
}

const nameIn = ({ metadata }: V1Namespace) => metadata?.name ?? '';

/** Completes a namespace of another executor, which may have ended before it did; updates one that is known here. */
async function follow(state: State, name: string, owner: Owner | null, usedAt: number | undefined): Promise<void> {
  const { kept, pods, log } = state;
  const known = kept.get(name);
  const current = known
    ? { ...known, owner, usedAt: Math.max(known.usedAt, usedAt ?? 0) }
    : make(state, name, owner, usedAt ?? Date.now());
  kept.set(name, current);
  await current.made.catch((error) => {
    log.error({ err: error, namespace: name }, 'failed to restore a namespace');
    return pods.follow(name);
  });
}

async function keepAll(state: State): Promise<void> {
  const { kept, log } = state;
  const before = new Map(kept);
  const existing = new Set(await list(state));
  for (const [namespace, each] of kept) {
    // A namespace created since the listing began is not in it.
    const isRemoved = !existing.has(namespace) && each.owner && each === before.get(namespace);
    await (isRemoved ? forget(state, namespace) : keepOrRemove(state, namespace, each)).catch((error) =>
      log.error({ err: error, namespace }, 'failed to restore or remove a namespace'),
    );
  }
}

/** Removes the namespace of an organisation that was empty for too long; restores any other. */
async function keepOrRemove(state: State, name: string, each: Kept): Promise<void> {
  const { api, pods, idleMs } = state;
  const isIdle = () => each.owner !== null && Date.now() - each.usedAt > idleMs;
  // Before a removal the API server is asked: the cache may lag behind.
  if (pods.count(name) > 0 || (isIdle() && (await listPods(api, name, '')).items.length > 0)) each.usedAt = Date.now();
  if (isIdle()) await remove(state, name);
  else await keep(state, name, each);
}

/** Creates or restores a namespace and its objects. Idempotent, also among executors that do it at once. */
async function keepNamespace(
  { api, objects }: { api: CoreV1Api; objects: KubernetesObjectApi },
  plan: NamespacePlan,
): Promise<void> {
  const end = Date.now() + SETTLED_MS;
  for (const object of objectsOf(plan))
    await until(end, async () => {
      try {
        return await objects.patch(object, undefined, undefined, FIELD_MANAGER, true, PatchStrategy.ServerSideApply);
      } catch (error) {
        // Until its own binding takes effect, an executor has no rights in a namespace that it has just created.
        if (plan.binding && hasCode(error, 403) && !isTerminating(error) && Date.now() < end) return undefined;
        throw error;
      }
    });
  if (!plan.owner) return;
  // Until the usage of the quota is known, pods would be refused.
  const isCounted = async () => {
    const { status } = await api.readNamespacedResourceQuota({ namespace: plan.name, name: QUOTA });
    return status?.hard?.pods;
  };
  if (!(await until(end, isCounted)))
    throw new Error(`the ResourceQuota controller reported no usage within ${SETTLED_MS / 1000} s`);
}

/** Polls until there is a value, or until `end`. */
async function until<T>(end: number, poll: () => Promise<T | undefined>): Promise<T | undefined> {
  for (;;) {
    const found = await poll();
    if (found !== undefined || Date.now() > end) return found;
    await pause(POLL_MS);
  }
}

/** The user name of this executor in the cluster. */
async function userOf(config: KubeConfig): Promise<string> {
  const { status } = await config.makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body: {} });
  return status?.userInfo?.username ?? '';
}
