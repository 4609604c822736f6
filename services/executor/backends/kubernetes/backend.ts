import {
  CoordinationV1Api,
  CoreV1Api,
  KubeConfig,
  type V1Pod,
  type V1Service,
  VersionApi,
} from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { UserIds } from '#libs/user-ids.ts';
import type { Backend, Cluster, Watcher } from '../backend.ts';
import { eachOf } from '../each-of.ts';
import { keepAgentStream } from './agent-stream.ts';
import {
  createPod,
  destroyPod,
  type InstancePods,
  instanceOf,
  isOwn,
  listInstances,
  listPodsOf,
} from './instance-pods.ts';
import { sharedNamespaceOf } from './namespace.ts';
import { openNamespaces } from './namespaces.ts';
import { createNotes, type Notes, noteOn, writeOn } from './notes.ts';
import { joinPeers, type Peers } from './peers.ts';
import { EXECUTOR_LABEL, nameOf, resourcesFor } from './pod.ts';
import { endOf } from './pod-state.ts';
import { createPodUsers } from './pod-users.ts';
import { followPods } from './pods.ts';
import { canResize, resizePod } from './resize.ts';

const KUBELET_PORT = 10_250;
const METADATA_ADDRESS = '169.254.169.254:80';

export type KubernetesOptions = {
  /** Path of a kubeconfig; default: that of the environment, or the service account of this pod. */
  kubeconfig: string | undefined;
  executorId: string;
  /** Prefix of the names of this environment's namespaces. */
  namespacePrefix: string;
  /** Cluster role that this executor binds itself to in the namespaces that it creates; absent if its rights are cluster-wide. */
  role: string | undefined;
  /** How long an organisation's empty namespace is kept. */
  namespaceIdleMs: number;
  agentImage: string;
  /** Ratio of the CPU limit of a sandbox to its CPU request. */
  cpuOvercommit: number;
  /** Of this executor alone, in its cluster. */
  userIds: UserIds;
  /** Pods have no user namespace: their ids are those of the node. */
  hostUsers: boolean;
  /** The most instances at one time. */
  maxInstances: number;
  /** Each pod is tested for whether it reaches forbidden addresses. */
  isolated: boolean;
  /** Ends a wait for policies while the backend opens: its reason is thrown. */
  signal: AbortSignal;
  log: Logger;
};

type Parts = InstancePods & {
  /** Id of the cluster. */
  id: string;
  /** The service of the API server. */
  service: V1Service;
  changesLimits: boolean;
  peers: Peers;
  notes: Notes;
  opened: AsyncDisposableStack;
};

/** Instances as pods of a cluster, each linked by one exec stream. */
export async function createKubernetesBackend(options: KubernetesOptions): Promise<Backend> {
  const { cpuOvercommit, log } = options;
  const config = loadConfig(options.kubeconfig);
  const version = config.makeApiClient(VersionApi);
  const parts = await openParts(config, options);
  const { api, pods, namespaceOf, changesLimits, opened } = parts;
  return {
    capabilities: { hostsCells: false, changesLimits, measuresPeak: false, isOneHost: false },
    cluster: clusterOf(parts, options.isolated),
    link: async (instanceId, accept) => keepAgentStream({ config, pods, log }, instanceId, accept),
    async create(plan, signal) {
      if (plan.purpose === 'cells') throw new DrydockError('NOT_IMPLEMENTED', 'a cluster has no instances for cells');
      await createPod(parts, plan, signal);
    },
    destroy: (instanceId) => destroyPod(parts, instanceId),
    list: () => listInstances(parts),
    setLimits: (instanceId, limits) =>
      resizePod(
        { api, pods, namespace: namespaceOf.get(instanceId) },
        instanceId,
        resourcesFor({ limits, writableRoot: false }, cpuOvercommit),
      ),
    async measurePeak() {
      return undefined;
    },
    imageOf: async (instanceId) =>
      parts.pods.get(nameOf(instanceId))?.status?.containerStatuses?.[0]?.imageID || undefined,
    watch: (watcher) => watch(parts, watcher),
    ping: async () => void (await version.getCode()),
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function openParts(config: KubeConfig, options: KubernetesOptions): Promise<Parts> {
  const { executorId, namespacePrefix: environment, agentImage, cpuOvercommit, role, signal, log } = options;
  await using opened = new AsyncDisposableStack();
  const api = config.makeApiClient(CoreV1Api);
  const namespaceOf = new Map<string, string>();
  const pods = opened.use(followPods(config, { api, log }));
  const users = createPodUsers({ ...options, pods });
  const idleMs = options.namespaceIdleMs;
  const namespaces = opened.use(await openNamespaces({ config, environment, role, idleMs, pods, signal, log }));
  const shared = sharedNamespaceOf(environment);
  const service = await api.readNamespacedService({ namespace: 'default', name: 'kubernetes' });
  const id = (await api.readNamespace({ name: shared })).metadata?.uid ?? '';
  const changesLimits = await canResize(api);
  const joined = await joinPeers({
    api: config.makeApiClient(CoordinationV1Api),
    namespace: shared,
    executorId,
    isEmpty: () => namespaceOf.size === 0,
    log,
  });
  const peers = opened.use(joined);
  const notes = opened.use(createNotes({ api, namespaceOf, log }));
  const placement = { executorId, agentImage, cpuOvercommit };
  const own = { api, pods, namespaces, shared, namespaceOf, deleting: new Set<string>(), placement, users, log };
  return { ...own, id, service, changesLimits, notes, peers, opened: opened.move() };
}

function clusterOf(parts: Parts, isolated: boolean): Cluster {
  const { id, service, api, pods, notes, peers, namespaces, placement } = parts;
  return {
    id,
    note: notes.write,
    memberSince: peers.memberSince,
    async takeOver() {
      const takeovers = await peers.takeOver();
      const labels = { [EXECUTOR_LABEL]: placement.executorId };
      for (const lost of takeovers)
        await eachOf(await listPodsOf(parts, lost.executorId), ({ metadata = {} }) =>
          writeOn(api, metadata, { labels }),
        );
      return takeovers;
    },
    forget: (organizationId) => namespaces.remove(organizationId),
    forbiddenAddresses(instanceId) {
      if (!isolated) return [];
      const node = pods.get(nameOf(instanceId))?.status?.hostIP;
      const [server, port] = [service.spec?.clusterIP, service.spec?.ports?.[0]?.port];
      return [`${server}:${port}`, `${node}:${KUBELET_PORT}`, METADATA_ADDRESS];
    },
  };
}

function watch(parts: Parts, watcher: Watcher): AsyncDisposable {
  const { pods, peers, namespaceOf, deleting } = parts;
  /** Taken over without a claim on them: the new owner destroys those. */
  const unclaimed = new Set<string>();
  const takenOver = (pod: V1Pod, instanceId: string) => {
    namespaceOf.delete(instanceId);
    if (!noteOn(pod)) unclaimed.add(instanceId);
    watcher.takenOver(instanceId);
  };
  const subscriptions = new AsyncDisposableStack();
  subscriptions.use(
    pods.onChange((pod, isDeleted) => {
      const instanceId = instanceOf(pod);
      const isHeld = namespaceOf.has(instanceId);
      if (isHeld && !isOwn(parts, pod)) takenOver(pod, instanceId);
      if (noteOn(pod)) unclaimed.delete(instanceId);
      if (isDeleted) namespaceOf.delete(instanceId);
      if (isDeleted && unclaimed.delete(instanceId)) return watcher.ended(instanceId, 'HOST_LOST');
      const reason = endOf(pod, isDeleted);
      if (isHeld && isOwn(parts, pod) && reason && !deleting.has(instanceId)) watcher.ended(instanceId, reason);
    }),
  );
  subscriptions.use(pods.onResumed(() => watcher.changed()));
  subscriptions.use(peers.onExpired(() => watcher.changed()));
  return subscriptions;
}

function loadConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path) config.loadFromFile(path);
  else config.loadFromDefault();
  return config;
}
