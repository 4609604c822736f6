import { type CoreV1Api, PatchStrategy, setHeaderOptions, type V1Pod } from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Claim } from '../claims.ts';
import { hasCode } from './api-errors.ts';
import { nameOf } from './pod.ts';

const CLAIM = 'drydock.dev/claim';
/** For whoever looks for a pod. */
const SANDBOX_LABEL = 'drydock.dev/sandbox';
const ORGANIZATION_LABEL = 'drydock.dev/organization';
const RETRY_MS = 1_000;

/** What is noted on pods. Disposing writes what waits, where that can be done now. */
export type Notes = AsyncDisposable & {
  /** Notes whose an instance is: soon, and again until it is there or the pod is gone. The last one counts. */
  write(instanceId: string, claim: Claim): void;
};

/** Writes notes behind the caller's back: a claim does not wait for the API server. */
export function createNotes({ api, namespace, log }: { api: CoreV1Api; namespace: string; log: Logger }): Notes {
  const waiting = new Map<string, Claim>();
  const merging = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  const write = async () => {
    for (const [instanceId, claim] of waiting) {
      const labels = { [SANDBOX_LABEL]: claim.sandboxId, [ORGANIZATION_LABEL]: claim.organizationId };
      const body = { metadata: { labels, annotations: { [CLAIM]: JSON.stringify(claim) } } };
      await api.patchNamespacedPod({ namespace, name: nameOf(instanceId), body }, merging).catch((error) => {
        if (!hasCode(error, 404)) throw error;
      });
      if (waiting.get(instanceId) === claim) waiting.delete(instanceId);
    }
  };
  const periodic = every(RETRY_MS, log, write);
  return {
    write(instanceId, claim) {
      waiting.set(instanceId, claim);
      periodic.trigger();
    },
    async [Symbol.asyncDispose]() {
      await periodic[Symbol.asyncDispose]();
      await write().catch((error) => log.warn({ err: error }, 'claims not noted'));
    },
  };
}

/** The claim that is noted on a pod. */
export function claimOn({ metadata }: V1Pod): Claim | undefined {
  const note = metadata?.annotations?.[CLAIM];
  return note ? (JSON.parse(note) as Claim) : undefined;
}
