import {
  type CoreV1Api,
  PatchStrategy,
  setHeaderOptions,
  type V1ObjectMeta,
  type V1Pod,
} from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { type Claim, formatClaim } from '../claim.ts';
import { eachOf } from '../each-of.ts';
import { hasCode } from './api-errors.ts';
import { ORGANIZATION_LABEL } from './namespace.ts';
import { nameOf } from './pod.ts';

const CLAIM = 'drydock.dev/claim';
/** For whoever looks for a pod. */
const SANDBOX_LABEL = 'drydock.dev/sandbox';
const RETRY_MS = 1_000;

/** What is noted on pods. Disposing writes what waits, where that can be done now. */
export type Notes = AsyncDisposable & {
  /** Notes whose an instance is: soon, and again until it is there or the pod is gone. The last one counts. */
  write(instanceId: string, claim: Claim): void;
};

/** Writes notes behind the caller's back: a claim does not wait for the API server. */
export function createNotes(dependencies: {
  api: CoreV1Api;
  /** The namespaces of instances that are there. */
  homes: ReadonlyMap<string, string>;
  log: Logger;
}): Notes {
  const { api, homes, log } = dependencies;
  const waiting = new Map<string, Claim>();
  const write = () =>
    eachOf(waiting, async ([instanceId, claim]) => {
      const labels = { [SANDBOX_LABEL]: claim.sandboxId, [ORGANIZATION_LABEL]: claim.organizationId };
      const annotations = { [CLAIM]: formatClaim(claim) };
      const pod = { namespace: homes.get(instanceId), name: nameOf(instanceId) };
      await writeOn(api, pod, { labels, annotations });
      if (waiting.get(instanceId) === claim) waiting.delete(instanceId);
    });
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

/** Writes labels and annotations on a pod, besides those that it has. Does nothing where it is gone. */
export async function writeOn(
  api: CoreV1Api,
  { namespace, name }: { namespace?: string | undefined; name?: string },
  metadata: Pick<V1ObjectMeta, 'labels' | 'annotations'>,
): Promise<void> {
  if (!namespace || !name) return;
  const merging = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);
  await api.patchNamespacedPod({ namespace, name, body: { metadata } }, merging).catch((error) => {
    if (!hasCode(error, 404)) throw error;
  });
}

/** The claim that is noted on a pod, as it was written there. */
export function noteOn({ metadata }: V1Pod): string | undefined {
  return metadata?.annotations?.[CLAIM];
}
