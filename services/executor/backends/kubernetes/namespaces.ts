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
// Rights, and what a quota has in use, are known everywhere a moment after they are there.
const SETTLED_MS = 10_000;
const LOOK_MS = 20;

export type NamespacesOptions = {
  config: KubeConfig;
  /** What the names of this environment's namespaces begin with. */
  environment: string;
  /** Cluster role that an executor binds itself to where it makes a namespace; absent where its rights are everywhere. */
  role: string | undefined;
  /** How long an organisation's namespace is kept that holds nothing. */
  idleMs: number;
  pods: Pods;
  log: Logger;
};

/** Where sandboxes live: a namespace that organisations share, and one of each that has, or lately had, some made for it. */
export type Namespaces = AsyncDisposable & {
  /** The namespace of what is made for an organisation, or for nobody yet; made where it is not there. */
  of(owner: Owner | null): Promise<string>;
  /** Those that are there and stay, others' among them. */
  list(): Promise<string[]>;
  /** Whether one is there, and be it that it is being removed. */
  exists(name: string): Promise<boolean>;
  /** One turned out to be gone. */
  forget(name: string): Promise<void>;
  /** Removes an organisation's with all that is in it. Succeeds when there is none. */
  remove(organizationId: string): Promise<void>;
};

type Kept = { owner: Owner | null; made: Promise<void>; usedAt: number };

/** Makes the shared one, and from then on keeps every one as it was made. Errors: what the API server says. */
export async function openNamespaces(options: NamespacesOptions): Promise<Namespaces> {
  const { config, environment, role, idleMs, pods, log } = options;
  const api = config.makeApiClient(CoreV1Api);
  // One for all: it asks the API server what kinds there are, once.
  const objects = KubernetesObjectApi.makeApiClient(config);
  const binding = role ? { role, user: await userOf(config) } : undefined;
  const shared = sharedNamespaceOf(environment);
  const kept = new Map<string, Kept>();

  const keep = (name: string, { owner, usedAt }: Pick<Kept, 'owner' | 'usedAt'>) =>
    keepNamespace({ api, objects }, { name, environment, owner, usedAt, binding });

  const make = (name: string, owner: Owner | null, usedAt: number): Kept => {
    const made = (async () => {
      await keep(name, { owner, usedAt }).catch((cause) => {
        kept.delete(name);
        throw new Error(`namespace ${name} cannot be kept: ${messageOf(cause)}`, { cause });
      });
      await pods.follow(name);
    })();
    return { owner, made, usedAt };
  };

  const of = async (owner: Owner | null): Promise<string> => {
    const name = owner ? namespaceOf(environment, owner.organizationId) : shared;
    const known = kept.get(name);
    const is = known && known.owner?.sandboxes === owner?.sandboxes ? known : make(name, owner, Date.now());
    kept.set(name, is);
    is.usedAt = Date.now();
    await is.made;
    return name;
  };

  const forget = async (name: string): Promise<void> => {
    kept.delete(name);
    await pods.forget(name);
  };

  const removeOne = async (name: string): Promise<void> => {
    await api.deleteNamespace({ name }).catch((error) => {
      if (!hasCode(error, 404)) throw error;
    });
    await forget(name);
  };

  const list = async (): Promise<string[]> => {
    await Promise.allSettled([...kept.values()].map(({ made }) => made));
    const labelSelector = `${ENVIRONMENT_LABEL}=${environment}`;
    const { items } = await api.listNamespace({ labelSelector }).catch((cause) => {
      throw new Error(`namespaces cannot be listed: ${messageOf(cause)}`, { cause });
    });
    const nameOf = ({ metadata }: V1Namespace) => metadata?.name ?? '';
    const whose = (each: V1Namespace) => ownerOf(each) ?? kept.get(nameOf(each))?.owner ?? null;
    const isOurs = (each: V1Namespace) => nameOf(each) === shared || whose(each) !== null;
    const lasting = items.filter((each) => isOurs(each) && !each.metadata?.deletionTimestamp);
    await eachOf(lasting, async (each) => {
      const [name, owner, usedAt] = [nameOf(each), whose(each), usedAtOf(each)];
      const known = kept.get(name);
      // Whoever made it may have ended before it was done. One that is known may have got another quota from somebody else.
      const is = known
        ? { ...known, owner, usedAt: Math.max(known.usedAt, usedAt ?? 0) }
        : make(name, owner, usedAt ?? Date.now());
      kept.set(name, is);
      await is.made.catch((error) => {
        log.error({ err: error, namespace: name }, 'namespace not as it should be');
        return pods.follow(name);
      });
    });
    return lasting.map(nameOf);
  };

  await of(null);
  const lookAfter = async (name: string, each: Kept): Promise<void> => {
    const isIdle = () => each.owner !== null && Date.now() - each.usedAt > idleMs;
    // Asked for where it matters: what is followed may be behind.
    if (pods.count(name) > 0 || (isIdle() && (await listPods(api, name, '')).items.length > 0))
      each.usedAt = Date.now();
    if (isIdle()) await removeOne(name);
    else await keep(name, each);
  };
  const periodic = every(KEEP_INTERVAL_MS, log, async () => {
    const before = new Map(kept);
    const existing = new Set(await list());
    for (const [namespace, each] of kept) {
      // One that is made meanwhile is not gone.
      const isGone = !existing.has(namespace) && each.owner && each === before.get(namespace);
      await (isGone ? forget(namespace) : lookAfter(namespace, each)).catch((error) =>
        log.error({ err: error, namespace }, 'namespace not looked after'),
      );
    }
  });
  return {
    of,
    list,
    exists: (name) =>
      api.readNamespace({ name }).then(
        () => true,
        (error) => {
          if (hasCode(error, 404)) return false;
          throw error;
        },
      ),
    forget,
    remove: (organizationId) => removeOne(namespaceOf(environment, organizationId)),
    [Symbol.asyncDispose]: () => periodic[Symbol.asyncDispose](),
  };
}

/** May be repeated, by any number of executors at once. */
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
        // Until its own binding is known, an executor may do nothing in a namespace that it has just made.
        if (plan.binding && hasCode(error, 403) && !isTerminating(error) && Date.now() < end) return undefined;
        throw error;
      }
    });
  if (!plan.owner) return;
  // A pod before the quota's use is known would be refused.
  const isCounted = async () => {
    const { status } = await api.readNamespacedResourceQuota({ namespace: plan.name, name: QUOTA });
    return status?.hard?.pods;
  };
  if (!(await until(end, isCounted))) throw new Error('nobody counts what it has of its quota');
}

/** Looks again and again until there is something, or the time is over. */
async function until<T>(end: number, look: () => Promise<T | undefined>): Promise<T | undefined> {
  for (;;) {
    const found = await look();
    if (found !== undefined || Date.now() > end) return found;
    await pause(LOOK_MS);
  }
}

/** As whom this executor is known to the cluster. */
async function userOf(config: KubeConfig): Promise<string> {
  const { status } = await config.makeApiClient(AuthenticationV1Api).createSelfSubjectReview({ body: {} });
  return status?.userInfo?.username ?? '';
}
