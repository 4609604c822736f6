import { DrydockError } from '#libs/errors.ts';

const RETRY_AFTER_MS = 1_000;

export type StreamLimits = { organization: number; process: number };

/** Limits streams that hold memory: each is taken before it begins. Errors of `take`: RATE_LIMITED, SERVICE_UNAVAILABLE. */
export function createStreams(kind: string, limits: StreamLimits) {
  const open = new Map<string, number>();
  let total = 0;
  return {
    take(organizationId: string): Disposable {
      const own = open.get(organizationId) ?? 0;
      if (own >= limits.organization)
        throw new DrydockError('RATE_LIMITED', `the organisation has ${own} ${kind} under way; try again`, {
          retryAfterMs: RETRY_AFTER_MS,
        });
      if (total >= limits.process)
        throw new DrydockError('SERVICE_UNAVAILABLE', `as many ${kind} are under way as can be; try again`, {
          retryAfterMs: RETRY_AFTER_MS,
        });
      open.set(organizationId, own + 1);
      total += 1;
      return {
        [Symbol.dispose]() {
          total -= 1;
          const left = open.get(organizationId)! - 1;
          if (left > 0) open.set(organizationId, left);
          else open.delete(organizationId);
        },
      };
    },
  };
}
