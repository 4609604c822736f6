import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

const RETRY_AFTER_MS = 1_000;

/** What the SQL function `admit` returned. */
export type Admission = {
  /** Id of the row that an earlier call with the same request id made. */
  earlier: string | null;
  /** The organisation's live sandboxes and running executions. */
  live: number;
};

/**
 * Hash of a request's content. Maps are sorted, so that a retry with the same content has the same hash.
 * Only the hash is stored: the environment may hold secrets.
 */
export function contentHash<T extends { environment: Record<string, string>; metadata?: Record<string, string> }>(
  type: { encode(message: T): { finish(): Uint8Array } },
  request: T,
): Buffer {
  const ordered = { ...request, environment: sorted(request.environment) };
  if (request.metadata) ordered.metadata = sorted(request.metadata);
  return createHash('sha256').update(type.encode(ordered).finish()).digest();
}

function sorted(map: Record<string, string>): Record<string, string> {
  return Object.fromEntries(Object.entries(map).sort(([a], [b]) => (a < b ? -1 : 1)));
}

/** Errors: REQUEST_ID_REUSED if the earlier call's content differs. */
export function checkSameRequest(earlier: { request_sha256: Buffer }, sha256: Buffer): void {
  if (!earlier.request_sha256.equals(sha256))
    throw new DrydockError('REQUEST_ID_REUSED', 'request_id was used before with other content; take a new one');
}

export function quotaExceeded({ organizationId, quota }: Caller, live: number): DrydockError {
  const allowed = quota?.concurrentSandboxes ?? 0;
  return new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${allowed} sandboxes at one time`, {
    retryAfterMs: RETRY_AFTER_MS,
    quota: [
      {
        subject: `organizations/${organizationId}/concurrentSandboxes`,
        description: `${live} of ${allowed} in use; delete some or wait`,
      },
    ],
  });
}
