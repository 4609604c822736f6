import type { Events } from '#libs/nats/events.ts';
import type { WorkQueue } from '#libs/nats/work-queue.ts';
import { gauge } from '#libs/telemetry.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import { createAttempts } from './attempts.ts';
import { createFairQueue } from './fair-queue.ts';
import { freeSlots } from './placement.ts';
import { startTenantQueues } from './tenant-queues.ts';
import { type Dependencies as TicketDependencies, useTicket } from './tickets.ts';

const DRAIN_MS = 10_000;

export type Dependencies = Omit<TicketDependencies, 'attempts' | 'placed' | 'left' | 'stopping'> & {
  events: Pick<Events, 'connected' | 'subscribe' | 'onConnect'>;
  work: WorkQueue<ExecutionQueued>;
};

export type Queue = AsyncDisposable & {
  /** To be called after heartbeats of executors: slots may be free. */
  offer(): void;
};

/**
 * Runs the executions of the queue on executors with free slots. Disposing takes no more, waits 10 s for running ones to end,
 * and returns the rest to the queue.
 */
export function startQueue(dependencies: Dependencies): Queue {
  const { session, directory, log } = dependencies;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const attempts = createAttempts(session, log);
  // Tickets with a slot that no heartbeat counts yet.
  let granted = 0;
  const fairQueue = createFairQueue(() => {
    if (freeSlots(directory.list()) - granted <= 0) return false;
    granted += 1;
    return true;
  });
  const placed = () => {
    granted -= 1;
    fairQueue.offer();
  };
  const tenantQueues = startTenantQueues({
    ...dependencies,
    fairQueue,
    attempts,
    async run(organizationId, ticket) {
      const run = useTicket(
        { ...dependencies, attempts, placed, left: fairQueue.offer, stopping: stopping.signal },
        organizationId,
        ticket,
      );
      running.add(run);
      await run.finally(() => running.delete(run));
      fairQueue.offer();
    },
  });
  gauge('scheduler_running_executions', 'Tickets of the queue that are being used.', [], (set) =>
    set({}, running.size),
  );
  return {
    offer: fairQueue.offer,
    async [Symbol.asyncDispose]() {
      await tenantQueues[Symbol.asyncDispose]();
      const drain = setTimeout(() => stopping.abort(), DRAIN_MS);
      while (running.size > 0) await Promise.all(running);
      clearTimeout(drain);
      await attempts[Symbol.asyncDispose]();
    },
  };
}
