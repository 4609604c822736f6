import { hasReason } from '#libs/errors.ts';
import type { Events } from '#libs/events.ts';
import { ANNOUNCED_SUBJECT, DISCOVER_SUBJECT } from '#libs/executor-directory.ts';
import { newId } from '#libs/ids.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { ExecutorAnnounced, SandboxChanged, SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import type { EndedReason } from './backend.ts';
import type { Pool } from './pool.ts';
import type { Sandbox, Sandboxes } from './sandboxes.ts';

const ENDED_SUBJECT = 'drydock.executor.sandbox.stopped';
const CHANGED_SUBJECT = 'drydock.session.sandbox.changed';
const INTERVAL_MS = 1_000;
const MAX_UNREPORTED = 10_000;

export type Dependencies = {
  events: Events;
  sandboxes: Sandboxes;
  pool: () => Pool;
  executorId: string;
  address: string;
  maxSandboxes: number;
  memoryBytes: number;
  draining: () => boolean;
  log: Logger;
};

/** Says every second, and whenever asked, that this executor is there and what it has room for. */
export function announceExecutor(dependencies: Dependencies): AsyncDisposable {
  const { events, sandboxes, pool, log } = dependencies;
  const announce = () => {
    const announced: ExecutorAnnounced = {
      executorId: dependencies.executorId,
      address: dependencies.address,
      capacity: dependencies.maxSandboxes,
      sandboxes: sandboxes.list().length,
      memoryBytes: dependencies.memoryBytes,
      freeMemoryBytes: Math.max(0, sandboxes.freeMemoryBytes()),
      warm: Object.fromEntries(pool().sizes()),
      draining: dependencies.draining(),
    };
    events.publish(ANNOUNCED_SUBJECT, ExecutorAnnounced.encode(announced).finish());
  };
  const asked = events.subscribe(DISCOVER_SUBJECT, announce);
  const connected = events.onConnect(announce);
  const periodic = every(INTERVAL_MS, log, async () => announce());
  return {
    async [Symbol.asyncDispose]() {
      asked[Symbol.dispose]();
      connected[Symbol.dispose]();
      await periodic[Symbol.asyncDispose]();
    },
  };
}

/** Reports sandboxes that ended by themselves; what cannot be told now is told when NATS is back. */
export function createReporter(
  events: Events,
  executorId: string,
  log: Logger,
): AsyncDisposable & { report(sandbox: Sandbox, reason: EndedReason): void } {
  const waiting: { id: string; event: SandboxEnded }[] = [];
  const periodic = every(INTERVAL_MS, log, async () => {
    for (let next = waiting[0]; next && events.connected(); next = waiting[0]) {
      await events.publishDurable(ENDED_SUBJECT, SandboxEnded.encode(next.event).finish(), next.id);
      waiting.shift();
    }
  });
  return {
    report({ sandboxId, organizationId }, reason) {
      if (waiting.length >= MAX_UNREPORTED) waiting.shift();
      waiting.push({ id: newId('evt'), event: { sandboxId, organizationId, executorId, reason } });
      periodic.trigger();
    },
    [Symbol.asyncDispose]: () => periodic[Symbol.asyncDispose](),
  };
}

/** Destroys sandboxes of this executor that session has put on record as stopped. */
export function followSession(events: Events, sandboxes: Sandboxes, log: Logger): Disposable {
  return events.subscribe(CHANGED_SUBJECT, async (data) => {
    const { sandboxId, organizationId, state } = SandboxChanged.decode(data);
    if (state !== 'STOPPED') return;
    try {
      sandboxes.get(sandboxId, organizationId);
    } catch (error) {
      if (hasReason(error, 'SANDBOX_NOT_FOUND')) return;
      throw error;
    }
    log.info({ sandboxId }, 'stopped sandbox destroyed');
    await sandboxes.destroy(sandboxId);
  });
}
