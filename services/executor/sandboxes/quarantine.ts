import type { Logger } from '#libs/log.ts';

/** Instances that have a claim, or may have one, and cannot be adopted yet. They run on, unusable. */
export type Quarantine = {
  /** Adds an instance, with its sandbox if that is known. Logs a cause that is new. */
  keep(instanceId: string, cause: unknown, sandboxId?: string): void;
  /** Removes an instance that was adopted or destroyed. */
  release(instanceId: string): void;
  ids(): string[];
  /** Ids of the sandboxes that are known. */
  sandboxIds(): string[];
};

export function createQuarantine(log: Logger): Quarantine {
  const kept = new Map<string, { message: string; sandboxId: string | undefined }>();
  return {
    keep(instanceId, cause, sandboxId) {
      const message = String(cause);
      if (kept.get(instanceId)?.message !== message)
        log.error(
          { err: cause, instanceId, sandboxId },
          'sandbox quarantined, retrying every 30 s: mend the cause, or destroy its instance and remove its claim',
        );
      kept.set(instanceId, { message, sandboxId });
    },
    release: (instanceId) => void kept.delete(instanceId),
    ids: () => [...kept.keys()],
    sandboxIds: () => [...kept.values()].flatMap(({ sandboxId }) => sandboxId ?? []),
  };
}
