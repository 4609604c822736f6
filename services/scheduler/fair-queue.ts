export type FairQueue = {
  /** Resolves when the organisation is next and a slot is free. Throws an AbortError when `signal` ends. */
  wait(organizationId: string, weight: number, signal: AbortSignal): Promise<void>;
  /** To be called when slots may have become free. */
  offer(): void;
};

type Waiting = { organizationId: string; weight: number; resolve: () => void };

/**
 * Weighted fair queueing: the organisation with the lowest virtual time is next, and each slot advances its virtual time by the
 * inverse of its weight. An organisation that returns after a pause starts at the current virtual time, so that idle time earns
 * no credit. `takeSlot` takes a free slot if there is one.
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
    // An organisation that is not ahead needs no entry: it would start at the current virtual time anyway.
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
