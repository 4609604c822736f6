import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { CoordinationV1Api, CoreV1Api, KubeConfig, type V1Pod, VersionApi } from '@kubernetes/client-node';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { type Backend, type InstancePlan, takenOver } from '../backend.ts';
import { eachOf } from '../each-of.ts';
import { hasCode, refusalOf } from './api-errors.ts';
import { openExecStream } from './exec-stream.ts';
import { sharedNamespaceOf } from './namespace.ts';
import { openNamespaces } from './namespaces.ts';
import { createNotes, noteOn, writeOn } from './notes.ts';
import { joinPeers } from './peers.ts';
import { CONNECT_COMMAND, CONTAINER, EXECUTOR_LABEL, INSTANCE_LABEL, nameOf, podFor, resourcesFor } from './pod.ts';
import { endOf, isRunning, startFailureOf, unschedulable } from './pod-state.ts';
import { followPods, listPods } from './pods.ts';
import { canResize, resizePod } from './resize.ts';

const START_MS = 20_000;
const DELETE_MS = 30_000;
const REACH_AGAIN_MS = [20, 100, 500, 2_000];
const STEADY_MS = 2_000;
const KUBELET_PORT = 10_250;
const METADATA_ADDRESS = '169.254.169.254:80';

export type KubernetesOptions = {
  /** Path of a kubeconfig; default: that of the environment, or the service account of this pod. */
  kubeconfig: string | undefined;
  executorId: string;
  /** What the names of this environment's namespaces begin with. */
  namespacePrefix: string;
  /** Cluster role that this executor binds itself to in the namespaces that it makes; absent where its rights are everywhere. */
  role: string | undefined;
  /** How long an organisation's namespace is kept that holds nothing. */
  namespaceIdleMs: number;
  agentImage: string;
  /** Sandboxes may use so many times the CPU that nodes set aside for them. */
  cpuOvercommit: number;
  /** Pods must not reach what is out of reach, and are tried. */
  isolated: boolean;
  log: Logger;
};

/** Instances as pods of a cluster, reached by one exec stream each. */
export async function createKubernetesBackend(options: KubernetesOptions): Promise<Backend> {
  const { executorId, namespacePrefix: environment, agentImage, cpuOvercommit, role, log } = options;
  const config = loadConfig(options.kubeconfig);
  const api = config.makeApiClient(CoreV1Api);
  const version = config.makeApiClient(VersionApi);
  /** The namespaces of this executor's instances. */
  const homes = new Map<string, string>();
  const pods = followPods(config, { api, log });
  const namespaces = await openNamespaces({ config, environment, role, idleMs: options.namespaceIdleMs, pods, log });
  const shared = sharedNamespaceOf(environment);
  const service = (await api.readNamespacedService({ namespace: 'default', name: 'kubernetes' })).spec;
  const cluster = (await api.readNamespace({ name: shared })).metadata?.uid ?? '';
  const changesLimits = await canResize(api);
  const notes = createNotes({ api, homes, log });
  const peers = await joinPeers({
    api: config.makeApiClient(CoordinationV1Api),
    namespace: shared,
    executorId,
    isEmpty: () => homes.size === 0,
    log,
  });
  /** Those that end because they are told to. */
  const ending = new Set<string>();

  const list = async (ownerId: string): Promise<V1Pod[]> => {
    const found: V1Pod[] = [];
    await eachOf(await namespaces.list(), async (name) => {
      found.push(...(await listPods(api, name, `${EXECUTOR_LABEL}=${ownerId}`)).items);
    });
    return found;
  };

  const isOwn = ({ metadata }: V1Pod) => metadata?.labels?.[EXECUTOR_LABEL] === executorId;

  /** Looks at a pod of this executor, which learns so that it is another's by now. */
  const look = async (instanceId: string): Promise<V1Pod> => {
    const pod = await api.readNamespacedPod({ namespace: homes.get(instanceId) ?? shared, name: nameOf(instanceId) });
    pods.learn(pod);
    return pod;
  };

  /** Deletes a pod as it is known, so that nothing is deleted that another executor has taken over meanwhile. */
  const remove = async (instanceId: string, namespace: string): Promise<void> => {
    const name = nameOf(instanceId);
    for (let pod = pods.get(name) ?? (await look(instanceId)); isOwn(pod); pod = await look(instanceId)) {
      const preconditions = { resourceVersion: pod.metadata?.resourceVersion ?? '' };
      // Nobody there would ever say that it is gone. Should the node come back, its kubelet ends what it finds.
      const isLost = endOf(pod, false) === 'HOST_LOST';
      const body = { preconditions, ...(isLost ? { gracePeriodSeconds: 0 } : {}) };
      try {
        return void (await api.deleteNamespacedPod({ namespace, name, body }));
      } catch (error) {
        if (!hasCode(error, 409)) throw error;
      }
    }
    throw takenOver();
  };

  const destroy = async (instanceId: string): Promise<void> => {
    const name = nameOf(instanceId);
    const namespace = homes.get(instanceId);
    if (!namespace) return;
    ending.add(instanceId);
    try {
      await remove(instanceId, namespace);
      await pods.until(name, (pod) => (pod ? undefined : true), AbortSignal.timeout(DELETE_MS));
    } catch (error) {
      if (!hasCode(error, 404)) throw error;
    }
    homes.delete(instanceId);
    ending.delete(instanceId);
  };

  const make = async (plan: InstancePlan): Promise<void> => {
    const namespace = await namespaces.of(plan.tenant);
    homes.set(plan.instanceId, namespace);
    const body = podFor(plan, { namespace, executorId, agentImage, cpuOvercommit });
    await api.createNamespacedPod({ namespace, body }).catch(async (error) => {
      // Another executor, or somebody, has removed it, and with it this one's rights there.
      if (!hasCode(error, 403, 404) || !plan.tenant || (await namespaces.exists(namespace))) throw error;
      await namespaces.forget(namespace);
      await namespaces.of(plan.tenant);
      await api.createNamespacedPod({ namespace, body });
    });
  };

  /** Waits until a pod runs. Errors: SANDBOX_START_FAILED, NO_CAPACITY. */
  const started = async ({ instanceId, template }: InstancePlan, signal: AbortSignal): Promise<void> => {
    const name = nameOf(instanceId);
    const limit = AbortSignal.any([signal, AbortSignal.timeout(START_MS)]);
    const outcome = (pod: V1Pod | undefined) => pod && (isRunning(pod) ? 'running' : startFailureOf(pod));
    const result = await pods.until(name, outcome, limit).catch((error) => {
      if (signal.aborted) throw error;
      return lateBecause(template, pods.get(name));
    });
    if (result !== 'running') throw result;
  };

  return {
    capabilities: { hostsCells: false, changesLimits, measuresPeak: false, isOneHost: false },
    cluster,
    async reach(instanceId, accept) {
      const stop = new AbortController();
      const pod = nameOf(instanceId);
      const running = (found: V1Pod | undefined) => (found && isRunning(found) ? found.metadata?.namespace : undefined);
      let stream: Duplex | undefined;
      const loop = async () => {
        for (let failures = 0; !stop.signal.aborted; ) {
          try {
            const namespace = await pods.until(pod, running, stop.signal);
            stream = await openExecStream(config, { namespace, pod, container: CONTAINER, command: CONNECT_COMMAND });
            if (stop.signal.aborted) return void stream.destroy();
            const openedAt = performance.now();
            accept(stream);
            await finished(stream).finally(() => {
              // A program can end it at will, and each one costs the cluster more than the program.
              if (performance.now() - openedAt > STEADY_MS) failures = 0;
            });
          } catch (error) {
            if (!stop.signal.aborted) log.debug({ err: error, instanceId }, 'exec stream ended');
          }
          const wait = REACH_AGAIN_MS[Math.min(failures++, REACH_AGAIN_MS.length - 1)];
          await pause(wait, undefined, { signal: stop.signal }).catch(() => {});
        }
      };
      const ended = loop();
      return {
        async [Symbol.asyncDispose]() {
          stop.abort();
          stream?.destroy();
          await ended;
        },
      };
    },
    async create(plan, signal) {
      if (plan.purpose === 'cells') throw new DrydockError('NOT_IMPLEMENTED', 'a cluster has no instances for cells');
      try {
        await make(plan).catch((error) => {
          throw refusalOf(plan.template, error);
        });
        await started(plan, signal);
      } catch (error) {
        await destroy(plan.instanceId).catch((cause) => log.warn({ err: cause }, 'failed pod not removed yet'));
        throw error;
      }
    },
    destroy,
    async list() {
      const found = await list(executorId);
      const listed = new Set(found.map(instanceOf));
      const missing = [...homes.keys()].filter((instanceId) => !listed.has(instanceId) && !ending.has(instanceId));
      await eachOf(missing, async (instanceId) => {
        await look(instanceId).catch((error) => {
          if (!hasCode(error, 404)) throw error;
        });
      });
      return found.map((pod) => {
        const instanceId = instanceOf(pod);
        homes.set(instanceId, pod.metadata?.namespace ?? shared);
        return { instanceId, running: isRunning(pod), note: noteOn(pod) };
      });
    },
    note: notes.write,
    async inherit() {
      const estates = await peers.inherit();
      for (const gone of estates)
        await eachOf(await list(gone.executorId), ({ metadata = {} }) =>
          writeOn(api, metadata, { labels: { [EXECUTOR_LABEL]: executorId } }),
        );
      return estates;
    },
    forget: (organizationId) => namespaces.remove(organizationId),
    outOfReach(instanceId) {
      if (!options.isolated) return [];
      const node = pods.get(nameOf(instanceId))?.status?.hostIP;
      const [server, port] = [service?.clusterIP, service?.ports?.[0]?.port];
      return [`${server}:${port}`, `${node}:${KUBELET_PORT}`, METADATA_ADDRESS];
    },
    setLimits: (instanceId, limits) =>
      resizePod({ api, pods, homes }, instanceId, resourcesFor({ limits, writableRoot: false }, cpuOvercommit)),
    async measurePeak() {
      return undefined;
    },
    watch(watcher) {
      const listening = new DisposableStack();
      listening.use(
        pods.onChange((pod, gone) => {
          const instanceId = instanceOf(pod);
          if (!homes.has(instanceId)) return;
          const reason = endOf(pod, gone);
          if (!isOwn(pod) || gone) homes.delete(instanceId);
          if (!isOwn(pod)) watcher.takenOver(instanceId);
          else if (reason && !ending.has(instanceId)) watcher.ended(instanceId, reason);
        }),
      );
      listening.use(pods.onResumed(() => watcher.changed()));
      listening.use(peers.onGone(() => watcher.changed()));
      return { [Symbol.asyncDispose]: async () => listening.dispose() };
    },
    ping: async () => void (await version.getCode()),
    async [Symbol.asyncDispose]() {
      await notes[Symbol.asyncDispose]();
      await peers[Symbol.asyncDispose]();
      await namespaces[Symbol.asyncDispose]();
      await pods[Symbol.asyncDispose]();
    },
  };
}

function loadConfig(path: string | undefined): KubeConfig {
  const config = new KubeConfig();
  if (path) config.loadFromFile(path);
  else config.loadFromDefault();
  return config;
}

const instanceOf = ({ metadata }: V1Pod) => metadata?.labels?.[INSTANCE_LABEL] ?? '';

/** What a pod that does not start in time waits for. */
function lateBecause(template: string, pod: V1Pod | undefined): DrydockError {
  const noRoom = pod && unschedulable(pod);
  if (noRoom)
    return new DrydockError('NO_CAPACITY', `the cluster has no room for a sandbox: ${noRoom}`, { retryAfterMs: 2_000 });
  return new DrydockError('SANDBOX_START_FAILED', `template ${template}: its pod did not start in time`, {
    retryAfterMs: 1_000,
  });
}
