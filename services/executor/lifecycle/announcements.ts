import { hasReason } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import {
  EXECUTOR_ANNOUNCED,
  EXECUTORS_DISCOVER,
  SANDBOX_CHANGED,
  SANDBOX_ENDED,
  SANDBOXES_INHERITED,
} from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced, SandboxChanged, SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import type { EndedReason, Estate } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import type { Leases } from '../executions/cell-hosts.ts';
import type { Slots } from '../executions/slots.ts';
import type { Room } from '../instances/capacity.ts';
import type { Pool } from '../instances/pool.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

const INTERVAL_MS = 1_000;
const MAX_UNREPORTED = 10_000;

export type Dependencies = {
  events: Events;
  sandboxes: Sandboxes;
  leases: Leases;
  room: Room;
  slots: Slots;
  pool: () => Pool;
  executorId: string;
  /** Where its sandboxes outlive it; else empty. */
  cluster: string;
  address: string;
  maxSandboxes: number;
  /** Once aborted, no new sandboxes are taken. */
  leaving: AbortSignal;
  log: Logger;
};

export type Announcer = AsyncDisposable & {
  /** Calls can be served from now on. */
  begin(): void;
};

/**
 * Says every second, and whenever asked, that this executor is there and what it has room for. It goes on while calls
 * drain: an executor that falls silent is lost, with all its sandboxes.
 */
export function createAnnouncer(dependencies: Dependencies): Announcer {
  const { events, sandboxes, leases, room, slots, pool, leaving, log } = dependencies;
  const parts = new AsyncDisposableStack();
  const announce = () => {
    // What is idle gives way to whoever comes, so that for those who ask it is free.
    const [idle, used] = leases.idleAndUsed();
    const idleBytes = idle.reduce((sum, { place }) => sum + place.memoryBytes, 0);
    const announced: ExecutorAnnounced = {
      executorId: dependencies.executorId,
      address: dependencies.address,
      capacity: dependencies.maxSandboxes,
      sandboxes: sandboxes.list().length + used.length,
      freeMemoryBytes: Math.max(0, room.freeMemoryBytes() + idleBytes),
      warm: Object.fromEntries(pool().sizes('sandbox')),
      ownWarm: pool().ownWarm(),
      draining: leaving.aborted,
      executionSlots: slots.total,
      executions: slots.taken(),
      cluster: dependencies.cluster,
    };
    events.publish(EXECUTOR_ANNOUNCED, announced);
  };
  return {
    begin() {
      parts.use(every(INTERVAL_MS, log, async () => announce()));
      parts.use(events.subscribe(EXECUTORS_DISCOVER, announce));
      parts.use(events.onConnect(announce));
      leaving.addEventListener('abort', announce, { once: true });
    },
    [Symbol.asyncDispose]: () => parts.disposeAsync(),
  };
}

/** Disposing waits for what is being told. */
export type Reporter = AsyncDisposable & {
  /** A sandbox ended by itself. What cannot be told now is told when NATS is back. */
  report(sandbox: Pick<Claim, 'sandboxId' | 'organizationId'>, reason: EndedReason): void;
  /** What an executor left that is gone is taken over; `sandboxIds` are all that this one has. Throws while NATS is away. */
  reportInheritance(estate: Estate, sandboxIds: string[]): Promise<void>;
};

/** Tells session of what happens by itself. */
export function createReporter(events: Events, executorId: string, log: Logger): Reporter {
  const waiting: { id: string; event: SandboxEnded }[] = [];
  const periodic = every(INTERVAL_MS, log, async () => {
    for (let next = waiting[0]; next && events.connected(); next = waiting[0]) {
      await events.publishDurable(SANDBOX_ENDED, next.event, next.id);
      waiting.shift();
    }
  });
  return {
    report({ sandboxId, organizationId }, reason) {
      if (waiting.length >= MAX_UNREPORTED) waiting.shift();
      waiting.push({ id: newId('evt'), event: { sandboxId, organizationId, executorId, reason } });
      periodic.trigger();
    },
    async reportInheritance({ executorId: gone, lostTime }, sandboxIds) {
      const event = { executorId: gone, heirExecutorId: executorId, sandboxIds, lostTime };
      await events.publishDurable(SANDBOXES_INHERITED, event, newId('evt'));
    },
    [Symbol.asyncDispose]: () => periodic[Symbol.asyncDispose](),
  };
}

/**
 * Does with sandboxes of this executor what session has put on record: confirms what runs, and destroys what has stopped,
 * also where that was done while this executor was away and taken for lost.
 */
export function followSession(events: Events, sandboxes: Sandboxes, missedSince: Date, log: Logger): Disposable {
  const handle = async ({ sandboxId, organizationId, state }: SandboxChanged) => {
    try {
      const sandbox = sandboxes.get(sandboxId, organizationId);
      if (state === 'RUNNING' && !sandbox.confirmed) await sandboxes.confirm(sandbox);
    } catch (error) {
      // Not here, or another executor's by now.
      if (hasReason(error, 'SANDBOX_NOT_FOUND', 'SERVICE_UNAVAILABLE')) return;
      throw error;
    }
    if (state !== 'STOPPED') return;
    log.info({ sandboxId }, 'stopped sandbox destroyed');
    await sandboxes.destroy(sandboxId);
  };
  return events.follow(SANDBOX_CHANGED, { since: missedSince, handle });
}
