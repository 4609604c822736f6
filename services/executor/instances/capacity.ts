import { DrydockError } from '#libs/errors.ts';

const RETRY_AFTER_MS = 1_000;

/** The share of one sandbox. Disposing frees it. */
export type Reservation = Disposable & {
  readonly memoryBytes: number;
  /** Changes the memory, evicting idle cell hosts if needed. Errors: NO_CAPACITY, and the share stays as it was. */
  resize(memoryBytes: number): Promise<void>;
};

/** Sandboxes and memory that this executor may give out. */
export type Capacity = {
  /** Reserves capacity for one more sandbox, evicting idle cell hosts if needed. Errors: NO_CAPACITY. */
  reserve(memoryBytes: number): Promise<Reservation>;
  /** Reserves capacity for a sandbox that exists already, even above the limits. */
  occupy(memoryBytes: number): Reservation;
  /** Whether a sandbox of `memoryBytes` fits without an eviction, besides others of this memory each that have no reservation. */
  fits(memoryBytes: number, others?: number[]): boolean;
  /** Bytes without a reservation; below 0 while sandboxes that exist already need more than the limit. */
  freeMemoryBytes(): number;
  /** Registers, until disposed, how to free capacity: `evict` ends one idle sandbox, and answers false if there is none. */
  reclaimFrom(evict: () => Promise<boolean>): Disposable;
};

export function createCapacity(limits: { maxSandboxes: number; memoryBytes: number }): Capacity {
  const reservations = new Set<Reservation>();
  const evictors = new Set<() => Promise<boolean>>();

  const freeMemoryBytes = () =>
    [...reservations].reduce((free, { memoryBytes }) => free - memoryBytes, limits.memoryBytes);
  const fits = (memoryBytes: number, others: number[] = []) =>
    reservations.size + others.length < limits.maxSandboxes &&
    freeMemoryBytes() >= others.reduce((sum, each) => sum + each, memoryBytes);

  const reclaim = async (): Promise<void> => {
    for (const evict of evictors) if (await evict()) return;
    throw new DrydockError('NO_CAPACITY', 'this executor is full', { retryAfterMs: RETRY_AFTER_MS });
  };

  const occupy = (memoryBytes: number): Reservation => {
    const reservation = {
      memoryBytes,
      async resize(wanted: number) {
        while (freeMemoryBytes() < wanted - reservation.memoryBytes) await reclaim();
        reservation.memoryBytes = wanted;
      },
      [Symbol.dispose]: () => void reservations.delete(reservation),
    };
    reservations.add(reservation);
    return reservation;
  };

  return {
    async reserve(memoryBytes) {
      // No await between the check and the reservation: two callers would get the same capacity.
      while (!fits(memoryBytes)) await reclaim();
      return occupy(memoryBytes);
    },
    occupy,
    fits,
    freeMemoryBytes,
    reclaimFrom(evict) {
      evictors.add(evict);
      return { [Symbol.dispose]: () => void evictors.delete(evict) };
    },
  };
}
