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
/** For operators who look for the pod of a sandbox. */
const SANDBOX_LABEL = 'drydock.dev/sandbox';
const RETRY_MS = 1_000;

/** Claims as annotations of pods. Disposing tries once more to write those that are pending. */
export type Notes = AsyncDisposable & {
  /** Writes the claim on an instance soon, and retries until it is written or the pod was deleted. The last claim wins. */
  write(instanceId: string, claim: Claim): void;
};

/** Writes claim annotations asynchronously: a claim never waits for the API server. */
export function createNotes(dependencies: {
  api: CoreV1Api;
  /** Namespaces by instance. */
  namespaceOf: ReadonlyMap<string, string>;
  log: Logger;
}): Notes {
  const { api, namespaceOf, log } = dependencies;
  const pending = new Map<string, Claim>();
  const write = () =>
    eachOf(pending, async ([instanceId, claim]) => {
      const labels = { [SANDBOX_LABEL]: claim.sandboxId, [ORGANIZATION_LABEL]: claim.organizationId };
      const annotations = { [CLAIM]: formatClaim(claim) };
      const pod = { namespace: namespaceOf.get(instanceId), name: nameOf(instanceId) };
      await writeOn(api, pod, { labels, annotations });
      if (pending.get(instanceId) === claim) pending.delete(instanceId);
    });
  const periodic = every(RETRY_MS, log, write);
  return {
    write(instanceId, claim) {
      pending.set(instanceId, claim);
      periodic.trigger();
    },
    async [Symbol.asyncDispose]() {
      await periodic[Symbol.asyncDispose]();
      await write().catch((error) => log.warn({ err: error }, 'failed to write claims on pods'));
    },
  };
}

/** Merges labels and annotations into those of a pod. Does nothing if the pod was deleted. */
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

/** The claim annotation of a pod, unparsed. */
export function noteOn({ metadata }: V1Pod): string | undefined {
  return metadata?.annotations?.[CLAIM];
}
