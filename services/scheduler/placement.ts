import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

/**
 * The resources that a placement needs: a sandbox with `memoryBytes`, from the pool of organisation `ownPoolOf` if it has one
 * of its own, or a slot for an execution.
 */
export type Demand = { template: string } & ({ memoryBytes: number; ownPoolOf?: string } | { execution: true });

const RETRY_AFTER_MS = 1_000;
/** Above any share of an executor that is taken, which is 1 when it is full and seldom more. */
const MOST_LOAD = 1_000;

/** Of the executors tried for one request: with thousands that are full, it would outlast its caller and keep the others from theirs. */
const MOST_TRIED = 16;

/**
 * The executor to try next, of those that were not tried: those with capacity before those without, since heartbeats are up to
 * a second old; then, for sandboxes, those with a warm one that will do; then the emptiest, and of equal ones any, since other
 * schedulers choose at the same time. Undefined if there is none: one that drains, or does not know the template, is out of
 * the question.
 */
export function choose(
  executors: readonly ExecutorAnnounced[],
  demand: Demand,
  tried: ReadonlySet<ExecutorAnnounced>,
): ExecutorAnnounced | undefined {
  let best: ExecutorAnnounced | undefined;
  let lowest = Number.POSITIVE_INFINITY;
  let equal = 0;
  for (const executor of executors) {
    if (executor.draining || !(demand.template in executor.warm) || tried.has(executor)) continue;
    const rank = rankOf(executor, demand);
    if (rank > lowest) continue;
    equal = rank < lowest ? 1 : equal + 1;
    if (rank < lowest || Math.random() * equal < 1) best = executor;
    lowest = rank;
  }
  return best;
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
 * Tries one executor after the other, 16 at most, until `attempt` succeeds. Goes on to the next where an executor is full, unreachable or
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
  const tried = new Set<ExecutorAnnounced>();
  while (tried.size < MOST_TRIED) {
    const executor = choose(executors, demand, tried);
    if (!executor) break;
    tried.add(executor);
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

/** The lower, the better. */
function rankOf(executor: ExecutorAnnounced, demand: Demand): number {
  const withoutRoom = hasRoom(executor, demand) ? 0 : 2 * MOST_LOAD;
  const cold = isWarm(executor, demand) ? 0 : MOST_LOAD;
  return withoutRoom + cold + Math.min(loadOf(executor, demand), MOST_LOAD / 2);
}

function loadOf(executor: ExecutorAnnounced, demand: Demand): number {
  if ('execution' in demand) return executor.executions / Math.max(1, executor.executionSlots);
  return executor.sandboxes / executor.capacity;
}
