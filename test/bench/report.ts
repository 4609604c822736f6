import { writeFile } from 'node:fs/promises';
import Table from 'cli-table3';
import type { Measured } from './measure.ts';
import type { Aim } from './ratios.ts';

const PLAIN = { style: { head: [], border: [] } };

/** A table of anything. */
export function tableOf(head: string[], rows: (string | number)[][]): string {
  const table = new Table({ head, ...PLAIN });
  table.push(...rows);
  return table.toString();
}

/** Every series, and what was aimed for, as tables on standard output; and every figure in a file, where one is named. */
export async function report(
  series: Measured[],
  aims: Aim[],
  file: string | undefined,
  more: object = {},
): Promise<void> {
  const measured = tableOf(
    ['series', 'at once', 'p50 ms', 'p95 ms', 'p99 ms', 'per second', 'success'],
    series.map((each) => [
      each.name,
      each.concurrency,
      each.p50.toFixed(2),
      each.p95.toFixed(2),
      each.p99.toFixed(2),
      each.perSecond.toFixed(1),
      `${(each.success * 100).toFixed(0)} %`,
    ]),
  );
  const aimed = tableOf(
    ['what', 'measured', 'aim', ''],
    aims.map(({ what, measured, aim, met }) => [what, measured, aim, met ? 'met' : 'not met']),
  );
  process.stdout.write(`${measured}\n${aimed}\n`);
  if (file) await writeFile(file, `${JSON.stringify({ series, aims, ...more }, null, 2)}\n`);
}

/** Records series as they come, and says each on standard error. */
export function recorder() {
  const series: Measured[] = [];
  return {
    series,
    async record(measured: Promise<Measured> | Measured): Promise<Measured> {
      const done = await measured;
      series.push(done);
      const { name, concurrency, p50, p95, p99, perSecond, success } = done;
      process.stderr.write(
        `${name} (${concurrency}): p50 ${p50.toFixed(2)} p95 ${p95.toFixed(2)} p99 ${p99.toFixed(2)} ms, ${perSecond.toFixed(0)}/s, ${(success * 100).toFixed(0)} %\n`,
      );
      return done;
    },
  };
}

/** A figure that is to be at least so many times another. */
export function atLeast(what: string, value: number, least: number, unit = '×'): Aim {
  return { what, measured: `${value.toFixed(1)} ${unit}`, aim: `≥ ${least} ${unit}`, met: value >= least };
}

/** A figure that is to be at most so much. */
export function atMost(what: string, value: number, limit: number, unit: string): Aim {
  return { what, measured: `${value.toFixed(1)} ${unit}`, aim: `≤ ${limit} ${unit}`, met: value <= limit };
}
