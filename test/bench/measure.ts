import { setTimeout as pause } from 'node:timers/promises';

/** What a series of runs took. Times in milliseconds. */
export type Measured = {
  name: string;
  concurrency: number;
  iterations: number;
  /** Share of the runs that succeeded, 0 to 1; the times are those of the ones that did. */
  success: number;
  p50: number;
  p95: number;
  p99: number;
  perSecond: number;
};

export type Series = {
  name: string;
  iterations?: number;
  concurrency?: number;
  warmUp?: number;
  /** Done before each run, outside of its time. */
  before?: () => Promise<unknown>;
  /** One run. A failure is counted, not thrown. */
  once: (index: number) => Promise<unknown>;
};

/** Runs a series after its warm-up, `concurrency` at a time, and keeps what each run took. */
export async function measure({
  name,
  iterations = 100,
  concurrency = 1,
  warmUp = 10,
  before = async () => {},
  once,
}: Series): Promise<Measured> {
  for (let i = 0; i < warmUp; i++) {
    await before();
    await once(-1 - i);
  }
  const times: number[] = [];
  let next = 0;
  let failure: unknown;
  const worker = async () => {
    while (next < iterations) {
      const index = next++;
      await before();
      const started = performance.now();
      try {
        await once(index);
        times.push(performance.now() - started);
      } catch (error) {
        failure ??= error;
      }
    }
  };
  const started = performance.now();
  await Promise.all(Array.from({ length: concurrency }, worker));
  const elapsed = performance.now() - started;
  if (failure) process.stderr.write(`${name}: first failure: ${failure}\n`);
  return summarize(name, times, { iterations, concurrency, elapsed });
}

/** Runs that begin at a steady rate, whether or not the ones before have ended. */
export async function measureArrivals({
  name,
  iterations,
  perSecond,
  once,
}: Pick<Series, 'name' | 'once'> & { iterations: number; perSecond: number }): Promise<Measured> {
  const times: number[] = [];
  const from = performance.now();
  const arrival = async (_: unknown, index: number) => {
    await pause(Math.max(0, from + (index * 1000) / perSecond - performance.now()));
    const started = performance.now();
    try {
      await once(index);
      times.push(performance.now() - started);
    } catch (error) {
      process.stderr.write(`${name}: ${error}\n`);
    }
  };
  await Promise.all(Array.from({ length: iterations }, arrival));
  return summarize(name, times, { iterations, concurrency: iterations, elapsed: performance.now() - from });
}

/** The figures of runs that were timed elsewhere. */
export function summarize(
  name: string,
  times: number[],
  { iterations = times.length, concurrency = 1, elapsed = times.reduce((sum, ms) => sum + ms, 0) } = {},
): Measured {
  const sorted = times.toSorted((a, b) => a - b);
  const at = (share: number) => sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  return {
    name,
    concurrency,
    iterations,
    success: times.length / iterations,
    p50: at(0.5),
    p95: at(0.95),
    p99: at(0.99),
    perSecond: (times.length / elapsed) * 1000,
  };
}
