import { DrydockError } from '#libs/errors.ts';
import { createBoundedMap } from './bounded-map.ts';

const SUBJECTS = 10_000;

export type Limiter = {
  /** Throws RATE_LIMITED where a subject has used up what it may; takes one of it if `take`. */
  check(subject: string, take?: boolean): void;
};

/** A token bucket per subject: so many a second, and as many as `burst` at once. */
export function createLimiter(perSecond: number, burst: number, now: () => number = Date.now): Limiter {
  const buckets = createBoundedMap<string, { tokens: number; at: number }>(SUBJECTS);
  return {
    check(subject, take = true) {
      const bucket = buckets.get(subject) ?? { tokens: burst, at: now() };
      const tokens = Math.min(burst, bucket.tokens + ((now() - bucket.at) / 1000) * perSecond);
      if (tokens < 1) {
        const retryAfterMs = Math.ceil(((1 - tokens) / perSecond) * 1000);
        throw new DrydockError('RATE_LIMITED', 'too many calls in a short time; slow down', { retryAfterMs });
      }
      buckets.set(subject, { tokens: tokens - (take ? 1 : 0), at: now() });
    },
  };
}
