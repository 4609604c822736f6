import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type CoreV1Api, type KubeConfig, ListWatch, type V1Pod, type V1PodList, Watch } from '@kubernetes/client-node';
import type { Logger } from '#libs/log.ts';
import { messageOf } from './api-errors.ts';
import { EXECUTOR_LABEL } from './pod.ts';

const RETRY_MS = 500;

/** A cache of the pods of every executor in the namespaces that are followed. */
export type Pods = AsyncDisposable & {
  /** Follows a namespace; resolves when it was listed. Idempotent. */
  follow(namespace: string): Promise<void>;
  /** Drops a removed namespace with its pods. */
  forget(namespace: string): Promise<void>;
  get(name: string): V1Pod | undefined;
  all(): Iterable<V1Pod>;
  /** The number of pods in a namespace. */
  count(namespace: string): number;
  /** Resolves with the first value that `wanted` answers for a pod. The pod need not exist yet. */
  until<T>(name: string, wanted: (pod: V1Pod | undefined) => T | undefined, signal: AbortSignal): Promise<T>;
  /** Merges a pod that was read outside the watch into the cache. */
  learn(pod: V1Pod): void;
  /** Calls the listener for every change, until disposed. */
  onChange(listener: (pod: V1Pod, isDeleted: boolean) => void): Disposable;
  /** Calls the listener when a watch resumes after an interruption, until disposed. */
  onResumed(listener: () => void): Disposable;
};

type State = {
  config: KubeConfig;
  api: CoreV1Api;
  log: Logger;
  changes: EventEmitter<{ change: [V1Pod, boolean]; resumed: [] }>;
  stop: AbortController;
  pods: Map<string, V1Pod>;
  informers: Map<string, Informer>;
};

type Informer = { source: ListWatch<V1Pod>; started: Promise<void> };

export async function listPods(api: CoreV1Api, namespace: string, labelSelector: string): Promise<V1PodList> {
  return api.listNamespacedPod({ namespace, labelSelector }).catch((cause) => {
    throw new Error(`pods of ${namespace} cannot be listed: ${messageOf(cause)}`, { cause });
  });
}

/** Lists and watches pods by a label; lists again if the resource version of the watch has expired. */
export function followPods(config: KubeConfig, { api, log }: { api: CoreV1Api; log: Logger }): Pods {
  const changes: State['changes'] = new EventEmitter();
  changes.setMaxListeners(0);
  const stop = new AbortController();
  const [pods, informers] = [new Map<string, V1Pod>(), new Map<string, Informer>()];
  const state: State = { config, api, log, changes, stop, pods, informers };
  return {
    follow(namespace) {
      const informer = informers.get(namespace) ?? startInformer(state, namespace);
      informers.set(namespace, informer);
      return informer.started;
    },
    async forget(namespace) {
      await stopInformer(state, namespace);
      for (const pod of pods.values()) if (pod.metadata?.namespace === namespace) record(state, pod, true);
    },
    get: (name) => pods.get(name),
    all: () => pods.values(),
    count: (namespace) => informers.get(namespace)?.source.list(namespace)?.length ?? 0,
    async until(name, wanted, signal) {
      const either = AbortSignal.any([signal, stop.signal]);
      for (;;) {
        const found = wanted(pods.get(name));
        if (found !== undefined) return found;
        await once(changes, 'change', { signal: either });
      }
    },
    learn: (pod) => record(state, pod, false),
    onChange(listener) {
      changes.on('change', listener);
      return { [Symbol.dispose]: () => void changes.off('change', listener) };
    },
    onResumed(listener) {
      changes.on('resumed', listener);
      return { [Symbol.dispose]: () => void changes.off('resumed', listener) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all([...informers.keys()].map((namespace) => stopInformer(state, namespace)));
    },
  };
}

function record({ pods, changes }: State, pod: V1Pod, isDeleted: boolean): void {
  const name = pod.metadata?.name ?? '';
  if (isDeleted) pods.delete(name);
  else pods.set(name, pod);
  changes.emit('change', pod, isDeleted);
}

function startInformer(state: State, namespace: string): Informer {
  const { config, api } = state;
  // Bookmarks keep the resource version of the watch young while nothing happens.
  const path = `/api/v1/namespaces/${namespace}/pods?allowWatchBookmarks=true`;
  const list = () => listPods(api, namespace, EXECUTOR_LABEL);
  const source = new ListWatch<V1Pod>(path, new Watch(config), list, false, EXECUTOR_LABEL);
  source.on('add', (pod) => record(state, pod, false));
  source.on('update', (pod) => record(state, pod, false));
  source.on('delete', (pod) => record(state, pod, true));
  source.on('error', (error) => resume(state, namespace, source, error));
  return { source, started: source.start() };
}

async function resume(state: State, namespace: string, source: ListWatch<V1Pod>, error: unknown): Promise<void> {
  const { stop, informers, changes, log } = state;
  const isOver = () => stop.signal.aborted || informers.get(namespace)?.source !== source;
  if (isOver()) return;
  log.warn({ err: error, namespace }, 'watch of the pods interrupted');
  await pause(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
  if (isOver()) return;
  await source.start();
  changes.emit('resumed');
}

async function stopInformer({ informers }: State, namespace: string): Promise<void> {
  const informer = informers.get(namespace);
  informers.delete(namespace);
  await informer?.source.stop();
  await informer?.started;
}
