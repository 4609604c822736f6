import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type CoreV1Api, type KubeConfig, ListWatch, type V1Pod, type V1PodList, Watch } from '@kubernetes/client-node';
import type { Logger } from '#libs/log.ts';
import { messageOf } from './api-errors.ts';
import { EXECUTOR_LABEL } from './pod.ts';

const RETRY_MS = 500;

/** The sandboxes of every executor, in the namespaces that are followed, as the cluster last told. */
export type Pods = AsyncDisposable & {
  /** Follows another namespace; resolves when it was listed. May be repeated. */
  follow(namespace: string): Promise<void>;
  /** Forgets a namespace that is removed, with its pods. */
  forget(namespace: string): Promise<void>;
  get(name: string): V1Pod | undefined;
  /** How many there are in a namespace. */
  count(namespace: string): number;
  /** Resolves with what `wanted` answers for a pod, which may not exist yet, once that is something. */
  until<T>(name: string, wanted: (pod: V1Pod | undefined) => T | undefined, signal: AbortSignal): Promise<T>;
  /** What was read of a pod besides, as if the cluster had told it. */
  learn(pod: V1Pod): void;
  /** Hears of every change until disposed; `gone` for a pod that was deleted. */
  onChange(listener: (pod: V1Pod, gone: boolean) => void): Disposable;
  /** Hears when the cluster can be followed again after an interruption. */
  onResumed(listener: () => void): Disposable;
};

type Informer = { source: ListWatch<V1Pod>; started: Promise<void> };

export async function listPods(api: CoreV1Api, namespace: string, labelSelector: string): Promise<V1PodList> {
  return api.listNamespacedPod({ namespace, labelSelector }).catch((cause) => {
    throw new Error(`pods of ${namespace} cannot be listed: ${messageOf(cause)}`, { cause });
  });
}

/** Follows pods by a label: lists them, watches from there, and lists again where the cluster has forgotten that point. */
export function followPods(config: KubeConfig, { api, log }: { api: CoreV1Api; log: Logger }): Pods {
  const changes = new EventEmitter<{ change: [V1Pod, boolean]; resumed: [] }>().setMaxListeners(0);
  const stop = new AbortController();
  const pods = new Map<string, V1Pod>();
  const informers = new Map<string, Informer>();

  const tell = (gone: boolean) => (pod: V1Pod) => {
    const name = pod.metadata?.name ?? '';
    if (gone) pods.delete(name);
    else pods.set(name, pod);
    changes.emit('change', pod, gone);
  };

  const begin = (namespace: string): Informer => {
    // Bookmarks keep the point to resume from young while nothing happens.
    const path = `/api/v1/namespaces/${namespace}/pods?allowWatchBookmarks=true`;
    const list = () => listPods(api, namespace, EXECUTOR_LABEL);
    const source = new ListWatch<V1Pod>(path, new Watch(config), list, false, EXECUTOR_LABEL);
    source.on('add', tell(false));
    source.on('update', tell(false));
    source.on('delete', tell(true));
    source.on('error', async (error) => {
      const isOver = () => stop.signal.aborted || informers.get(namespace)?.source !== source;
      if (isOver()) return;
      log.warn({ err: error, namespace }, 'watch of the pods interrupted');
      await pause(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
      if (isOver()) return;
      await source.start();
      changes.emit('resumed');
    });
    return { source, started: source.start() };
  };

  const end = async (namespace: string): Promise<void> => {
    const informer = informers.get(namespace);
    informers.delete(namespace);
    await informer?.source.stop();
    await informer?.started;
  };

  return {
    follow(namespace) {
      const informer = informers.get(namespace) ?? begin(namespace);
      informers.set(namespace, informer);
      return informer.started;
    },
    async forget(namespace) {
      await end(namespace);
      for (const pod of pods.values()) if (pod.metadata?.namespace === namespace) tell(true)(pod);
    },
    get: (name) => pods.get(name),
    count: (namespace) => informers.get(namespace)?.source.list(namespace)?.length ?? 0,
    async until(name, wanted, signal) {
      const either = AbortSignal.any([signal, stop.signal]);
      for (;;) {
        const found = wanted(pods.get(name));
        if (found !== undefined) return found;
        await once(changes, 'change', { signal: either });
      }
    },
    learn: tell(false),
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
      await Promise.all([...informers.keys()].map(end));
    },
  };
}
