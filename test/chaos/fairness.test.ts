import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Execution } from '#proto/drydock/v1/execution.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { tableOf } from '../bench/report.ts';
import { startTestPlatform } from '../support/platform.ts';
import { newTenant, type Tenant } from './patient-tenant.ts';

const FLOOD = Number(process.env.CHAOS_FLOOD ?? 200);
const FEW = 10;

let platform: Platform;

beforeAll(async () => {
  platform = await startTestPlatform({ executors: 1, environment: { LOG_LEVEL: 'warn' } });
});
afterAll(() => platform[Symbol.asyncDispose]());

/** A client's connection carries so many calls at a time, and tenants of one process share it: none may fill it up. */
const CALLS_AT_ONCE = 100;

async function runAll(tenant: Tenant, count: number): Promise<Execution[]> {
  const ids = await inTurns(count, (n) => tenant.submit(`${count}-${n}`, 'print(1)'));
  return inTurns(count, (n) => tenant.ended(ids[n]!));
}

async function inTurns<T>(count: number, call: (n: number) => Promise<T>): Promise<T[]> {
  const results: T[] = [];
  let next = 0;
  const worker = async () => {
    for (let n = next++; n < count; n = next++) results[n] = await call(n);
  };
  await Promise.all(Array.from({ length: CALLS_AT_ONCE }, worker));
  return results;
}

const startOf = ({ startTime }: Execution) => startTime!.getTime();

test(
  'ten programs of one organisation pass hundreds of another, in proportion to their weights',
  async () => {
    const rows: (string | number)[][] = [];
    for (const weight of [100, 400, 25]) {
      using few = await newTenant(platform, { queueWeight: weight, concurrentExecutions: 16 });
      const idle = performance.now();
      await runAll(few, FEW);
      const idleMs = performance.now() - idle;

      using flood = await newTenant(platform, { queueWeight: 100, concurrentExecutions: 16 });
      const flooding = runAll(flood, FLOOD);
      await expect
        .poll(
          async () => {
            const { executions } = await flood.api.executions.listExecutions({
              pageSize: 1,
              pageToken: '',
              states: ['FINISHED'],
            });
            return executions.length;
          },
          { timeout: 60_000 },
        )
        .toBe(1);
      const loaded = performance.now();
      const done = await runAll(few, FEW + 1);
      const loadedMs = performance.now() - loaded;
      const others = await flooding;

      const [from, to] = [Math.min(...done.map(startOf)), Math.max(...done.map(startOf))];
      const meanwhile = others.filter((each) => startOf(each) > from && startOf(each) < to).length;
      rows.push([weight, idleMs.toFixed(0), loadedMs.toFixed(0), (loadedMs / idleMs).toFixed(1), meanwhile]);
      // One for each of ours at equal weights; what held a slot already, and what one process had in hand, comes on top.
      expect(meanwhile).toBeLessThanOrEqual(Math.ceil((FEW + 1) * (100 / weight)) + 24);
    }
    process.stdout.write(
      `${tableOf(['weight against 100', 'idle ms', `with ${FLOOD} waiting ms`, 'times', 'of the flood meanwhile'], rows)}\n`,
    );
  },
  300_000 + 100 * FLOOD,
);
