import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Logger } from '#libs/log.ts';
import type { Claim } from '../backends/claim.ts';
import { type Capacity, largestOf, type Reservation, type Share } from '../instances/capacity.ts';

/** Instances that have a claim, or may have one, and cannot be adopted yet. They run on, unusable, and take capacity. */
export type Quarantine = {
  /**
   * Adds an instance, with its claim if that can be read: without one it takes what the largest template would. `exists` is
   * false if there is the claim alone. Logs a cause that is new.
   */
  keep(instanceId: string, cause: unknown, found: { claim: Claim | undefined; exists: boolean }): void;
  /** Removes an instance that was adopted or destroyed. */
  release(instanceId: string): void;
  ids(): string[];
  /** How many take capacity: those that exist. */
  occupying(): number;
  /** Ids of the sandboxes that are known. */
  sandboxIds(): string[];
};

export type Dependencies = {
  capacity: Pick<Capacity, 'occupy'>;
  /** Of an instance whose claim cannot be read. */
  largest: Share;
  log: Logger;
};

type Kept = { message: string; sandboxId: string | undefined; reservation: Reservation | undefined };

export function createQuarantine({ capacity, largest, log }: Dependencies): Quarantine {
  const kept = new Map<string, Kept>();
  const release = (instanceId: string) => {
    kept.get(instanceId)?.reservation?.[Symbol.dispose]();
    kept.delete(instanceId);
  };
  return {
    keep(instanceId, cause, { claim, exists }) {
      const message = String(cause);
      const sandboxId = claim?.sandboxId;
      if (kept.get(instanceId)?.message !== message)
        log.error(
          { err: cause, instanceId, sandboxId },
          'sandbox quarantined, retrying every 30 s: mend the cause, or destroy its instance and remove its claim',
        );
      release(instanceId);
      const reservation = exists ? capacity.occupy(claim?.limits ?? largest) : undefined;
      kept.set(instanceId, { message, sandboxId, reservation });
    },
    release,
    ids: () => [...kept.keys()],
    occupying: () => [...kept.values()].filter(({ reservation }) => reservation).length,
    sandboxIds: () => [...kept.values()].flatMap(({ sandboxId }) => sandboxId ?? []),
  };
}

/** The most that a sandbox has of each unless its caller asks for more. */
export function largestShare({ templates }: Catalog): Share {
  return largestOf([...templates.values()].map(({ limits }) => limits));
}
