import { expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { type Lane, runCases, type Step } from './lanes.ts';

const log = createLogger('test');

type Setting = {
  cases?: number;
  count?: number;
  /** Lanes that there is room for beside the first. */
  room?: number;
  /** Indices that are skipped once an index has an outcome. */
  skips?: { after: number; from: number };
  fail?: number;
};

/** A course whose cases end when they are told to. */
function start({ cases = 4, count = 1, room = 8, skips, fail }: Setting) {
  const begun: number[] = [];
  const ends = Array.from({ length: cases }, () => Promise.withResolvers<void>());
  const added = new Set<number>();
  let [lanes, disposed, most, under] = [1, 0, 0, 0];
  const lane = (): Lane =>
    ({
      async [Symbol.asyncDispose]() {
        disposed++;
      },
    }) as unknown as Lane;
  const steps = runCases<string, string>({
    course: {
      order: [...Array(cases).keys()],
      skips: (index) => (skips && added.has(skips.after) && index >= skips.from ? 'skipped' : undefined),
    },
    first: lane(),
    count,
    open: async () => (lanes++ <= room ? lane() : undefined),
    async *run(_, index, signal) {
      begun.push(index);
      most = Math.max(most, ++under);
      try {
        yield `begin ${index}`;
        const aborted = Promise.withResolvers<void>();
        signal.addEventListener('abort', () => aborted.reject(signal.reason));
        await Promise.race([ends[index]!.promise, aborted.promise]);
        if (index === fail) throw new Error(`no ${index}`);
        yield `end ${index}`;
        return `outcome ${index}`;
      } finally {
        under--;
      }
    },
    signal: new AbortController().signal,
    log,
  });
  const told: (string | number)[] = [];
  const tell = (step: Step<string, string>) => {
    if ('event' in step) return told.push(step.event);
    added.add(step.index);
    return told.push(step.index);
  };
  const all = (async () => {
    for await (const step of steps) tell(step);
  })();
  return {
    steps,
    told,
    begun,
    all,
    end: (...indices: number[]) => {
      for (const index of indices) ends[index]!.resolve();
    },
    counts: () => ({ most, under, disposed }),
  };
}

const settled = async () => {
  for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate);
};
const inOrder = (...indices: number[]) => indices.flatMap((index) => [`begin ${index}`, `end ${index}`, index]);

test('one lane runs one case after the other, and none that is skipped', async () => {
  const run = start({ skips: { after: 1, from: 2 } });
  run.end(0, 1, 2, 3);
  await run.all;
  expect([run.told, run.begun, run.counts()]).toEqual([inOrder(0, 1), [0, 1], { most: 1, under: 0, disposed: 0 }]);
});

test('several run side by side, and tell the same in the same order', async () => {
  const run = start({ cases: 6, count: 3 });
  await settled();
  expect(run.begun).toEqual([0, 1, 2]);
  run.end(2, 1);
  await settled();
  expect([run.told, run.begun]).toEqual([['begin 0'], [0, 1, 2, 3, 4]]);
  run.end(5, 4, 3, 0);
  await run.all;
  expect([run.told, run.counts()]).toEqual([inOrder(0, 1, 2, 3, 4, 5), { most: 3, under: 0, disposed: 2 }]);
});

test('cases run no further ahead than twice the lanes', async () => {
  const run = start({ cases: 9, count: 2 });
  run.end(1, 2, 3, 4, 5, 6, 7, 8);
  await settled();
  expect(run.begun).toEqual([0, 1, 2, 3]);
  run.end(0);
  await run.all;
  expect(run.told).toEqual(inOrder(0, 1, 2, 3, 4, 5, 6, 7, 8));
});

test('of a case that ran and is skipped nothing is told, and one that still runs is ended', async () => {
  const run = start({ cases: 4, count: 3, skips: { after: 0, from: 1 } });
  await settled();
  run.end(1);
  await settled();
  run.end(0);
  await run.all;
  expect([run.told, run.counts()]).toEqual([inOrder(0), { most: 3, under: 0, disposed: 2 }]);
});

test('with room for fewer lanes there are fewer', async () => {
  const run = start({ count: 8, room: 1 });
  await settled();
  run.end(0, 1, 2, 3);
  await run.all;
  expect([run.told, run.counts()]).toEqual([inOrder(0, 1, 2, 3), { most: 2, under: 0, disposed: 1 }]);
});

test('the error of a case is that of the whole, in its turn, and nothing runs on', async () => {
  const run = start({ count: 3, fail: 1 });
  await settled();
  run.end(1);
  await settled();
  expect(run.told).toEqual(['begin 0']);
  run.end(0);
  await expect(run.all).rejects.toThrow('no 1');
  expect([run.told, run.counts()]).toEqual([[...inOrder(0), 'begin 1'], { most: 3, under: 0, disposed: 2 }]);
});
