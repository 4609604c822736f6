import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Platform } from '../../deploy/local/platform.ts';
import { tableOf } from '../bench/report.ts';
import { startTestPlatform } from '../support/platform.ts';
import { newTenant, type Tenant } from './patient-tenant.ts';

const ORGANIZATIONS = 20;
const EACH = Number(process.env.CHAOS_EXECUTIONS ?? 400) / ORGANIZATIONS;
const VICTIMS = ['gateway', 'scheduler', 'session', 'executor-1', 'nats', 'postgres', 'executor-2', 'scheduler'];

let platform: Platform;
const tenants: Tenant[] = [];

beforeAll(async () => {
  platform = await startTestPlatform({ environment: { LOG_LEVEL: 'warn' } });
  for (let i = 0; i < ORGANIZATIONS; i++) tenants.push(await newTenant(platform, { concurrentExecutions: 8 }));
});
afterAll(async () => {
  for (const tenant of tenants) tenant[Symbol.dispose]();
  await platform[Symbol.asyncDispose]();
});

test('every submission ends once, with its own result, while every part is killed in turn', async () => {
  const total = ORGANIZATIONS * EACH;
  let ended = 0;
  const wake = new Set<() => void>();
  const started = performance.now();
  const runs = tenants.flatMap((tenant, t) =>
    Array.from({ length: EACH }, async (_, n) => {
      const id = await tenant.submit(`request-${n}`, `print(${t * EACH + n})`);
      const execution = await tenant.ended(id);
      ended += 1;
      for (const look of wake) look();
      return execution;
    }),
  );
  const untilEnded = (count: number) =>
    new Promise<void>((resolve) => {
      const look = () => {
        if (ended < count) return;
        wake.delete(look);
        resolve();
      };
      wake.add(look);
      look();
    });

  const rows: (string | number)[][] = [];
  for (const [index, victim] of VICTIMS.entries()) {
    await untilEnded(Math.floor((total * (index + 1)) / (VICTIMS.length + 2)));
    const killed = performance.now();
    const before = ended;
    await platform.kill(victim);
    await platform.restart(victim);
    const back = performance.now();
    await untilEnded(Math.min(total, ended + 1));
    rows.push([
      victim,
      ((killed - started) / 1000).toFixed(1),
      before,
      ((back - killed) / 1000).toFixed(1),
      ((performance.now() - killed) / 1000).toFixed(1),
    ]);
  }
  const executions = await Promise.all(runs);
  const seconds = (performance.now() - started) / 1000;
  process.stdout.write(
    `${tableOf(['killed', 'at s', 'ended by then', 'back after s', 'next result after s'], rows)}\n` +
      `${total} results in ${seconds.toFixed(0)} s, ${executions.filter(({ attempts }) => attempts > 1).length} of them not at the first attempt\n`,
  );

  expect(new Set(executions.map(({ id }) => id)).size).toBe(total);
  expect(executions.filter(({ verdict }) => verdict !== 'ACCEPTED')).toEqual([]);
  expect(executions.map(({ stdout }) => stdout)).toEqual(Array.from({ length: total }, (_, n) => `${n}\n`));
  for (const { api } of tenants) {
    const { executions: left } = await api.executions.listExecutions({
      pageSize: 0,
      pageToken: '',
      states: ['QUEUED', 'RUNNING'],
    });
    expect(left).toEqual([]);
  }
}, 600_000);
