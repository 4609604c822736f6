import fc from 'fast-check';
import { expect, test } from 'vitest';
import { createFairQueue } from './fair-queue.ts';

const never = new AbortController().signal;

/** Organisations that always want another turn, with slots given one by one. */
function floods(weights: Record<string, number>) {
  let free = 0;
  const taken: string[] = [];
  const fairQueue = createFairQueue(() => free > 0 && free-- > 0);
  const flood = (id: string, weight: number): void => {
    void fairQueue.wait(id, weight, never).then(() => {
      taken.push(id);
      flood(id, weight);
    });
  };
  for (const [id, weight] of Object.entries(weights)) flood(id, weight);
  return {
    taken,
    flood,
    async give(slots: number) {
      for (let i = 0; i < slots; i++) {
        free++;
        fairQueue.offer();
        await Promise.resolve();
      }
    },
  };
}

const count = (list: string[], id: string) => list.filter((each) => each === id).length;

test('those who always have work get turns in proportion to their weights', async () => {
  const weights = fc.dictionary(fc.constantFrom('a', 'b', 'c', 'd', 'e'), fc.integer({ min: 1, max: 50 }), {
    minKeys: 1,
  });
  await fc.assert(
    fc.asyncProperty(weights, async (weights) => {
      const { taken, give } = floods(weights);
      const sum = Object.values(weights).reduce((a, b) => a + b, 0);
      await give(sum * 3);
      for (const [id, weight] of Object.entries(weights))
        expect(Math.abs(count(taken, id) - weight * 3)).toBeLessThan(4);
    }),
  );
});

test('one who comes late is served at once, and gets nothing for having been away', async () => {
  const { taken, give, flood } = floods({ flood: 100 });
  await give(1_000);
  flood('late', 100);
  await give(20);
  expect(taken.slice(1_000, 1_002)).toContain('late');
  expect(count(taken.slice(1_000), 'late')).toBe(10);
});

test('nobody has a turn while no slot is free, and who stops waiting has none', async () => {
  let free = 0;
  const fairQueue = createFairQueue(() => free > 0 && free-- > 0);
  const stop = new AbortController();
  const left = fairQueue.wait('left', 1, stop.signal);
  const stayed = fairQueue.wait('stayed', 1, never);
  stop.abort();
  await expect(left).rejects.toThrow();
  free = 1;
  fairQueue.offer();
  await stayed;
  expect(free).toBe(0);
});
