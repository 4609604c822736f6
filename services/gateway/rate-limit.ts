import { LRUCache } from 'lru-cache';

export type Rate = {
  /** In the long run. */
  perSecond: number;
  /** At once, after a pause. */
  burst: number;
};

export type RateLimit = {
  /** Takes one if there is one, and answers 0; else answers how many ms it is until the next one. */
  take(key: string): number;
};

const MAX_KEYS = 10_000;

/** A token bucket for each key. The bucket of a key that was not heard of among the last 10,000 is full. */
export function createRateLimit(
  { perSecond, burst }: Rate,
  now: () => number = performance.now.bind(performance),
): RateLimit {
  const buckets = new LRUCache<string, { tokens: number; at: number }>({ max: MAX_KEYS });
  return {
    take(key) {
      const at = now();
      const bucket = buckets.get(key) ?? { tokens: burst, at };
      bucket.tokens = Math.min(burst, bucket.tokens + ((at - bucket.at) / 1000) * perSecond);
      bucket.at = at;
      buckets.set(key, bucket);
      if (bucket.tokens < 1) return Math.ceil(((1 - bucket.tokens) / perSecond) * 1000);
      bucket.tokens -= 1;
      return 0;
    },
  };
}
