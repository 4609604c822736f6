import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

/** What a sandbox asks of an executor. */
export type Demand = { template: string; memoryBytes: number };

const RETRY_AFTER_MS = 1_000;

/**
 * The executors to try, best first: those with room before those without, since news of room is up to a second old;
 * then those with a warm sandbox of the template; then the emptiest. An executor that drains, or does not know the
 * template, is not among them.
 */
export function candidates(executors: ExecutorAnnounced[], demand: Demand): ExecutorAnnounced[] {
  return executors
    .filter(({ draining, warm }) => !draining && demand.template in warm)
    .sort(
      (a, b) =>
        Number(hasRoom(b, demand)) - Number(hasRoom(a, demand)) ||
        Number(isWarm(b, demand)) - Number(isWarm(a, demand)) ||
        a.sandboxes / a.capacity - b.sandboxes / b.capacity,
    );
}

/** Counts a sandbox into what is known of an executor until it says so itself, so that a burst spreads. */
export function reserve(executor: ExecutorAnnounced, { template, memoryBytes }: Demand): void {
  executor.sandboxes += 1;
  executor.freeMemoryBytes -= memoryBytes;
  executor.warm[template] = Math.max(0, (executor.warm[template] ?? 0) - 1);
}

/**
 * Tries one executor after the other until `attempt` succeeds. Goes on to the next where an executor is full, gone or
 * could not start a sandbox; throws NO_CAPACITY with `RetryInfo` when none is left, any other error at once.
 */
export async function place<T>(
  executors: ExecutorAnnounced[],
  demand: Demand,
  log: Logger,
  attempt: (executor: ExecutorAnnounced) => Promise<T>,
): Promise<T> {
  let startFailure: DrydockError | undefined;
  for (const executor of candidates(executors, demand)) {
    reserve(executor, demand);
    try {
      return await attempt(executor);
    } catch (error) {
      if (!isWorthAnother(error)) throw error;
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

function hasRoom({ sandboxes, capacity, freeMemoryBytes }: ExecutorAnnounced, { memoryBytes }: Demand): boolean {
  return sandboxes < capacity && freeMemoryBytes >= memoryBytes;
}

function isWarm({ warm }: ExecutorAnnounced, { template }: Demand): boolean {
  return (warm[template] ?? 0) > 0;
}
