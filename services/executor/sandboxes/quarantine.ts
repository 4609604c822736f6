import type { Logger } from '#libs/log.ts';

/** Instances that are somebody's, or may be, and cannot be taken over yet. They run on, and nobody can use them. */
export type Quarantine = {
  /** Keeps an instance here, with the sandbox that it is where that is known. Logs a cause that is new. */
  keep(instanceId: string, cause: unknown, sandboxId?: string): void;
  /** It was taken over, or is gone. */
  release(instanceId: string): void;
  ids(): string[];
  /** Those sandboxes that are known. */
  sandboxIds(): string[];
};

export function createQuarantine(log: Logger): Quarantine {
  const kept = new Map<string, { words: string; sandboxId: string | undefined }>();
  return {
    keep(instanceId, cause, sandboxId) {
      const words = String(cause);
      if (kept.get(instanceId)?.words !== words)
        log.error(
          { err: cause, instanceId, sandboxId },
          'sandbox left as it is and looked at again every 30 s: mend the cause, or end its instance and remove its claim',
        );
      kept.set(instanceId, { words, sandboxId });
    },
    release: (instanceId) => void kept.delete(instanceId),
    ids: () => [...kept.keys()],
    sandboxIds: () => [...kept.values()].flatMap(({ sandboxId }) => sandboxId ?? []),
  };
}
