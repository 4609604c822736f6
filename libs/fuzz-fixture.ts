import { appendFile } from 'node:fs/promises';
import fc from 'fast-check';
import { test } from 'vitest';

/** How long each property is tried, in seconds. Unset: as often as the test says. */
const SECONDS = process.env.FUZZ_SECONDS ? Number(process.env.FUZZ_SECONDS) : undefined;
/** A file that gets a line for each property: how often it was tried, and whether it fell. */
const REPORT = process.env.FUZZ_REPORT;
const MARGIN_MS = 60_000;

/** What is told of a property, as a line of JSON. */
export type FuzzReport = { name: string; executions: number; finds: number };

type Property<T> = fc.IProperty<T> | fc.IAsyncProperty<T>;

/** A test that holds a property against made-up input: `runs` times, or for FUZZ_SECONDS. */
export function fuzzTest<T>(name: string, runs: number, property: Property<T>): void {
  const limits = SECONDS
    ? { numRuns: Number.MAX_SAFE_INTEGER, interruptAfterTimeLimit: SECONDS * 1_000, markInterruptAsFailure: false }
    : { numRuns: runs };
  test(
    name,
    async () => {
      const details = await fc.check(property as fc.IAsyncProperty<T>, { ...limits, includeErrorInReport: true });
      const report: FuzzReport = { name, executions: details.numRuns, finds: details.failed ? 1 : 0 };
      if (REPORT) await appendFile(REPORT, `${JSON.stringify(report)}\n`);
      if (details.failed) throw new Error(await fc.asyncDefaultReportMessage(details));
    },
    (SECONDS ?? 0) * 1_000 + MARGIN_MS,
  );
}
