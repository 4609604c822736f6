import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { EXECUTORS_DISCOVER, executorAnnounced } from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import type { Cluster } from '../backends/backend.ts';
import type { CellHosts } from '../executions/cell-hosts.ts';
import type { Slots } from '../executions/slots.ts';
import type { Capacity } from '../instances/capacity.ts';
import type { Pool } from '../instances/pool.ts';
import type { Quarantine } from '../sandboxes/quarantine.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

const INTERVAL_MS = 1_000;

export type Dependencies = {
  events: Events;
  sandboxes: Sandboxes;
  quarantine: Quarantine;
  cellHosts: CellHosts;
  capacity: Capacity;
  slots: Slots;
  pool: Pool;
  executorId: string;
  /** Where its sandboxes run, if they do not end with this executor's host. */
  cluster: Pick<Cluster, 'id' | 'memberSince'> | undefined;
  address: string;
  maxSandboxes: number;
  /** Once aborted, this executor accepts no new sandboxes. */
  leaving: AbortSignal;
  log: Logger;
};

/** Disposing ends it. */
export type Heartbeat = AsyncDisposable & {
  /** Begins to publish. Call it when calls can be served. */
  start(): void;
};

/**
 * Publishes this executor's state every second and on request. It goes on while calls drain: an executor without a heartbeat is
 * lost, with all its sandboxes. Hence it is created before the server and ends after it.
 */
export function createHeartbeat(dependencies: Dependencies): Heartbeat {
  const { events, leaving, log, executorId } = dependencies;
  const publish = () => events.publish(executorAnnounced(executorId), stateOf(dependencies));
  const parts = new AsyncDisposableStack();
  return {
    start() {
      parts.use(every(INTERVAL_MS, log, async () => publish()));
      parts.use(events.subscribe(EXECUTORS_DISCOVER, publish));
      parts.use(events.onConnect(publish));
      leaving.addEventListener('abort', publish, { once: true });
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

function stateOf(dependencies: Dependencies): ExecutorAnnounced {
  const { sandboxes, quarantine, cellHosts, capacity, slots, pool } = dependencies;
  // Idle cell hosts are evicted when capacity is needed, so theirs is announced as free.
  const [idle, used] = cellHosts.idleAndUsed();
  const idleBytes = idle.reduce((sum, { reservation }) => sum + reservation.share.memoryBytes, 0);
  return {
    executorId: dependencies.executorId,
    address: dependencies.address,
    capacity: dependencies.maxSandboxes,
    sandboxes: sandboxes.list().length + quarantine.occupying() + used.length,
    freeMemoryBytes: Math.max(0, capacity.freeMemoryBytes() + idleBytes),
    warm: Object.fromEntries(pool.sizes('sandbox')),
    ownWarm: pool.ownWarm(),
    draining: dependencies.leaving.aborted,
    executionSlots: slots.total,
    executions: slots.used(),
    cluster: dependencies.cluster?.id ?? '',
    memberSince: dependencies.cluster?.memberSince(),
  };
}
