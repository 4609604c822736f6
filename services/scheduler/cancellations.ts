import type { Events } from '#libs/nats/events.ts';
import { EXECUTION_CANCELLED } from '#libs/nats/subjects.ts';

export type Cancellations = {
  /** `signal` is aborted when the execution is cancelled. Dispose of it when the execution has ended. */
  watch(executionId: string): { signal: AbortSignal } & Disposable;
};

/** Subscribes to cancellations. One that is missed while NATS is away ends the attempt at its next heartbeat. */
export function watchCancellations(events: Pick<Events, 'subscribe'>): Cancellations & Disposable {
  const watched = new Map<string, AbortController>();
  const told = events.subscribe(EXECUTION_CANCELLED, ({ executionId }) => watched.get(executionId)?.abort());
  return {
    watch(executionId) {
      const controller = new AbortController();
      watched.set(executionId, controller);
      return { signal: controller.signal, [Symbol.dispose]: () => void watched.delete(executionId) };
    },
    [Symbol.dispose]: () => told[Symbol.dispose](),
  };
}
