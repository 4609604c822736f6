/** Whose turn it is. */
export type FairQueue = {
  /** Resolves when the organisation has its turn and a slot is free. Throws an AbortError when `signal` ends. */
  wait(organizationId: string, weight: number, signal: AbortSignal): Promise<void>;
  /** Slots may have become free. */
  offer(): void;
};

type Waiting = { organizationId: string; weight: number; resolve: () => void };

/**
 * Gives free slots to those who wait, in proportion to their weights: each turn moves an organisation on by the inverse of
 * its weight, and the one that came the least far is next. One that comes back after a pause starts where the others are,
 * so that silence saves nothing up. `takeSlot` takes a free slot if there is one.
 */
export function createFairQueue(takeSlot: () => boolean): FairQueue {
  const waiting = new Set<Waiting>();
  const passed = new Map<string, number>();
  let now = 0;

  const positionOf = ({ organizationId }: Waiting) => Math.max(now, passed.get(organizationId) ?? 0);
  const next = (): Waiting | undefined => {
    let first: Waiting | undefined;
    for (const each of waiting) if (!first || positionOf(each) < positionOf(first)) first = each;
    return first;
  };
  const offer = () => {
    for (let turn = next(); turn && takeSlot(); turn = next()) {
      waiting.delete(turn);
      now = positionOf(turn);
      passed.set(turn.organizationId, now + 1 / turn.weight);
      turn.resolve();
    }
    // Who is not ahead of the others is like one who was never here.
    for (const [id, position] of passed) if (position <= now) passed.delete(id);
  };

  return {
    offer,
    wait(organizationId, weight, signal) {
      return new Promise((resolve, reject) => {
        if (signal.aborted) return reject(signal.reason);
        const entry: Waiting = {
          organizationId,
          weight,
          resolve() {
            signal.removeEventListener('abort', leave);
            resolve();
          },
        };
        const leave = () => {
          waiting.delete(entry);
          reject(signal.reason);
        };
        signal.addEventListener('abort', leave, { once: true });
        waiting.add(entry);
        offer();
      });
    },
  };
}
