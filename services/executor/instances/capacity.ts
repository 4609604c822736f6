import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';

const RETRY_AFTER_MS = 1_000;

/** What one sandbox may use of its host. */
export type Share = Readonly<Pick<SandboxLimits, 'memoryBytes' | 'processes'>>;

/** The share of one sandbox. Disposing frees it. */
export type Reservation = Disposable & {
  readonly share: Share;
  /** Changes the share, evicting idle cell hosts if needed. Errors: NO_CAPACITY, and it stays as it was. */
  resize(share: Share): Promise<void>;
};

/** Sandboxes, memory and processes that this executor may give out. */
export type Capacity = {
  /** Reserves capacity for one more sandbox, evicting idle cell hosts if needed. Errors: NO_CAPACITY. */
  reserve(share: Share): Promise<Reservation>;
  /** Reserves capacity for a sandbox that exists already, even above the limits. */
  occupy(share: Share): Reservation;
  /** Whether a sandbox with this share fits without an eviction, besides others with these shares that have no reservation. */
  fits(share: Share, others?: readonly Share[]): boolean;
  /** Bytes without a reservation; below 0 while sandboxes that exist already need more than the limit. */
  freeMemoryBytes(): number;
  /** Registers, until disposed, how to free capacity: `evict` ends one idle sandbox, and answers false if there is none. */
  reclaimFrom(evict: () => Promise<boolean>): Disposable;
};

/** `processes` are what all sandboxes together may have: process ids of a host are few, and all of its programs share them. */
export function createCapacity(limits: Share & { maxSandboxes: number }): Capacity {
  const reservations = new Set<{ share: Share }>();
  const evictors = new Set<() => Promise<boolean>>();

  const free = (except?: { share: Share }): Share => {
    const used = sumOf([...reservations].filter((each) => each !== except).map(({ share }) => share));
    return { memoryBytes: limits.memoryBytes - used.memoryBytes, processes: limits.processes - used.processes };
  };
  const fits = (share: Share, others: readonly Share[] = []) =>
    reservations.size + others.length < limits.maxSandboxes && holds(free(), sumOf([share, ...others]));

  const reclaim = async (): Promise<void> => {
    for (const evict of evictors) if (await evict()) return;
    throw new DrydockError('NO_CAPACITY', 'this executor is full', { retryAfterMs: RETRY_AFTER_MS });
  };

  const occupy = (share: Share): Reservation => {
    const reservation = {
      share,
      async resize(wanted: Share) {
        while (!holds(free(reservation), wanted)) await reclaim();
        reservation.share = wanted;
      },
      [Symbol.dispose]: () => void reservations.delete(reservation),
    };
    reservations.add(reservation);
    return reservation;
  };

  return {
    async reserve(share) {
      // No await between the check and the reservation: two callers would get the same capacity.
      while (!fits(share)) await reclaim();
      return occupy(share);
    },
    occupy,
    fits,
    freeMemoryBytes: () => free().memoryBytes,
    reclaimFrom(evict) {
      evictors.add(evict);
      return { [Symbol.dispose]: () => void evictors.delete(evict) };
    },
  };
}

const holds = (free: Share, wanted: Share) =>
  free.memoryBytes >= wanted.memoryBytes && free.processes >= wanted.processes;

/** The most that any of these has of each. */
export function largestOf(shares: readonly Share[]): Share {
  return {
    memoryBytes: Math.max(...shares.map(({ memoryBytes }) => memoryBytes)),
    processes: Math.max(...shares.map(({ processes }) => processes)),
  };
}

function sumOf(shares: readonly Share[]): Share {
  return {
    memoryBytes: shares.reduce((sum, { memoryBytes }) => sum + memoryBytes, 0),
    processes: shares.reduce((sum, { processes }) => sum + processes, 0),
  };
}
