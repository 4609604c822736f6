import type { Duplex } from 'node:stream';
import { finished } from 'node:stream/promises';
import { setTimeout as pause } from 'node:timers/promises';
import type { KubeConfig, V1Pod } from '@kubernetes/client-node';
import type { Logger } from '#libs/log.ts';
import { openExecStream } from './exec-stream.ts';
import { CONNECT_COMMAND, CONTAINER, nameOf } from './pod.ts';
import { isRunning } from './pod-state.ts';
import type { Pods } from './pods.ts';

const BACKOFF_MS = [20, 100, 500, 2_000];
/** A stream that lasted this long resets the backoff. */
const STEADY_MS = 2_000;

type Dependencies = { config: KubeConfig; pods: Pods; log: Logger };

/** Opens an exec stream to the agent of a pod once the pod runs, and a new one whenever the last ends, until disposed. */
export function keepAgentStream(
  dependencies: Dependencies,
  instanceId: string,
  accept: (stream: Duplex) => void,
): AsyncDisposable {
  const stop = new AbortController();
  let stream: Duplex | undefined;
  const loop = async () => {
    for (let failures = 0; !stop.signal.aborted; ) {
      try {
        stream = await open(dependencies, instanceId, stop.signal);
        if (stop.signal.aborted) return void stream.destroy();
        const openedAt = performance.now();
        accept(stream);
        await finished(stream).finally(() => {
          // A program can end the stream at will, and a new one costs the cluster more than the program.
          if (performance.now() - openedAt > STEADY_MS) failures = 0;
        });
      } catch (error) {
        if (!stop.signal.aborted) dependencies.log.debug({ err: error, instanceId }, 'exec stream ended');
      }
      const wait = BACKOFF_MS[Math.min(failures++, BACKOFF_MS.length - 1)];
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
}

async function open({ config, pods }: Dependencies, instanceId: string, signal: AbortSignal): Promise<Duplex> {
  const pod = nameOf(instanceId);
  const runsIn = (found: V1Pod | undefined) => (found && isRunning(found) ? found.metadata?.namespace : undefined);
  const namespace = await pods.until(pod, runsIn, signal);
  return openExecStream(config, { namespace, pod, container: CONTAINER, command: CONNECT_COMMAND });
}
