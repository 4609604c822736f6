import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

/**
 * The resources that a placement needs: a sandbox with `memoryBytes`, from the pool of organisation `ownPoolOf` if it has one
 * of its own, or a slot for an execution.
 */
export type Demand = { template: string } & ({ memoryBytes: number; ownPoolOf?: string } | { execution: true });

const RETRY_AFTER_MS = 1_000;

/**
 * The executors to try, best first: those with capacity before those without, since heartbeats are up to a second old;
 * then, for sandboxes, those with a warm one that will do; then the emptiest. An executor that drains, or does not know
 * the template, is not among them.
 */
export function candidates(executors: ExecutorAnnounced[], demand: Demand): ExecutorAnnounced[] {
  return executors
    .filter(({ draining, warm }) => !draining && demand.template in warm)
    .sort(
      (a, b) =>
        Number(hasRoom(b, demand)) - Number(hasRoom(a, demand)) ||
        Number(isWarm(b, demand)) - Number(isWarm(a, demand)) ||
        loadOf(a, demand) - loadOf(b, demand),
    );
}

/** Adds a sandbox or an execution to an executor's last heartbeat until the next one, so that a burst spreads. */
export function reserve(executor: ExecutorAnnounced, demand: Demand): void {
  if ('execution' in demand) {
    executor.executions += 1;
    return;
  }
  executor.sandboxes += 1;
  executor.freeMemoryBytes -= demand.memoryBytes;
  const warm = warmFor(executor, demand);
  if (warm) warm[demand.template] = Math.max(0, (warm[demand.template] ?? 0) - 1);
}

/** Free execution slots of all executors that are not draining. */
export function freeSlots(executors: ExecutorAnnounced[]): number {
  return executors
    .filter(({ draining }) => !draining)
    .reduce((sum, { executionSlots, executions }) => sum + Math.max(0, executionSlots - executions), 0);
}

/**
 * Tries one executor after the other until `attempt` succeeds. Goes on to the next where an executor is full, unreachable or
 * could not start a sandbox; throws NO_CAPACITY with `RetryInfo` when none is left, any other error at once, and every
 * error at once after `waiting` is aborted.
 */
export async function place<T>(
  executors: ExecutorAnnounced[],
  demand: Demand,
  log: Logger,
  attempt: (executor: ExecutorAnnounced) => Promise<T>,
  waiting?: AbortSignal,
): Promise<T> {
  let startFailure: DrydockError | undefined;
  for (const executor of candidates(executors, demand)) {
    reserve(executor, demand);
    try {
      return await attempt(executor);
    } catch (error) {
      if (waiting?.aborted || !isWorthAnother(error)) throw error;
      log.warn({ err: error, executorId: executor.executorId }, 'executor passed over');
      if (hasReason(error, 'SANDBOX_START_FAILED')) startFailure = error;
    }
  }
  throw (
    startFailure ?? new DrydockError('NO_CAPACITY', 'no executor has room; try again', { retryAfterMs: RETRY_AFTER_MS })
  );
}

function isWorthAnother(error: unknown): boolean {
  return hasReason(error, 'NO_CAPACITY', 'SANDBOX_START_FAILED', 'SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT');
}

function hasRoom(executor: ExecutorAnnounced, demand: Demand): boolean {
  if ('execution' in demand) return executor.executions < executor.executionSlots;
  return executor.sandboxes < executor.capacity && executor.freeMemoryBytes >= demand.memoryBytes;
}

function isWarm(executor: ExecutorAnnounced, demand: Demand): boolean {
  return (warmFor(executor, demand)?.[demand.template] ?? 0) > 0;
}

/** Warm sandboxes that satisfy the demand, by template. */
function warmFor({ warm, ownWarm }: ExecutorAnnounced, demand: Demand): Record<string, number> | undefined {
  if ('execution' in demand) return undefined;
  const { ownPoolOf } = demand;
  if (ownPoolOf === undefined) return warm;
  return ownWarm.find(({ organizationId }) => organizationId === ownPoolOf)?.warm;
}

function loadOf(executor: ExecutorAnnounced, demand: Demand): number {
  if ('execution' in demand) return executor.executions / Math.max(1, executor.executionSlots);
  return executor.sandboxes / executor.capacity;
}
