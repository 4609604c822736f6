import { EventEmitter, once } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type KubeConfig, ListWatch, type V1Pod, type V1PodList, Watch } from '@kubernetes/client-node';
import type { Logger } from '#libs/log.ts';

const RETRY_MS = 500;

/** The pods of one executor as the cluster last told. */
export type Pods = AsyncDisposable & {
  get(name: string): V1Pod | undefined;
  /** Resolves with what `wanted` answers for a pod, which may not exist yet, once that is something. */
  until<T>(name: string, wanted: (pod: V1Pod | undefined) => T | undefined, signal: AbortSignal): Promise<T>;
  /** Hears of every change until disposed; `gone` for a pod that was deleted. */
  onChange(listener: (pod: V1Pod, gone: boolean) => void): Disposable;
  /** Hears when the cluster can be followed again after an interruption. */
  onResumed(listener: () => void): Disposable;
};

/** Follows pods by a label: lists them, watches from there, and lists again where the cluster has forgotten that point. */
export function followPods(
  config: KubeConfig,
  { namespace, label, list, log }: { namespace: string; label: string; list: () => Promise<V1PodList>; log: Logger },
): Pods {
  const changes = new EventEmitter<{ change: [V1Pod, boolean]; resumed: [] }>().setMaxListeners(0);
  const stop = new AbortController();
  // Bookmarks keep the point to resume from young while nothing happens.
  const path = `/api/v1/namespaces/${namespace}/pods?allowWatchBookmarks=true`;
  const informer = new ListWatch<V1Pod>(path, new Watch(config), list, false, label);
  const tell = (gone: boolean) => (pod: V1Pod) => changes.emit('change', pod, gone);
  informer.on('add', tell(false));
  informer.on('update', tell(false));
  informer.on('delete', tell(true));
  informer.on('error', async (error) => {
    if (stop.signal.aborted) return;
    log.warn({ err: error }, 'watch of the pods interrupted');
    await pause(RETRY_MS, undefined, { signal: stop.signal }).catch(() => {});
    if (stop.signal.aborted) return;
    await informer.start();
    changes.emit('resumed');
  });
  const started = informer.start();

  const get = (name: string) => informer.get(name, namespace);
  return {
    get,
    async until(name, wanted, signal) {
      const either = AbortSignal.any([signal, stop.signal]);
      for (;;) {
        const found = wanted(get(name));
        if (found !== undefined) return found;
        await once(changes, 'change', { signal: either });
      }
    },
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
      await informer.stop();
      await started;
    },
  };
}
