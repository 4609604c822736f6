import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type Platform, startPlatform } from '../../deploy/local/platform.ts';
import { platformPorts, startTestPlatform } from '../support/platform.ts';
import { newTenant, type Tenant } from './patient-tenant.ts';

const TENANTS = 4;
const EACH = 60;

let first: Platform;
let second: Platform;
let directory: string;

beforeAll(async () => {
  const environment = { LOG_LEVEL: 'warn' };
  first = await startTestPlatform({ environment });
  // The same database, NATS, certificates and executors: another of each of the other services.
  directory = await mkdtemp('/tmp/drydock-');
  await cp(first.tlsDirectory, join(directory, 'tls'), { recursive: true });
  await writeFile(join(directory, 'api-key'), first.apiKey);
  second = await startPlatform({
    dataDirectory: directory,
    backend: { kind: 'docker', sockets: [process.env.DOCKER_SOCKET ?? '/var/run/docker.sock'] },
    ports: await platformPorts(0),
    name: 'none',
    databaseUrl: first.databaseUrl,
    natsUrl: first.natsUrl,
    environment,
  });
});
afterAll(async () => {
  await second?.[Symbol.asyncDispose]();
  await first?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const submitAll = (tenant: Tenant, name: string, first = '') =>
  Promise.all(Array.from({ length: EACH }, (_, n) => tenant.submit(`${name}-${n}`, `${first}print(${n})`)));
async function turnsOf({ metricsUrls }: Platform): Promise<number> {
  const text = await (await fetch(metricsUrls.get('scheduler')!)).text();
  return Number(/^scheduler_turns_total (\d+)/m.exec(text)?.[1]);
}
const expected = Array.from({ length: EACH }, (_, n) => ['ACCEPTED', `${n}\n`]);

test('two of each service share the work, and restart one after the other under load without losing any', async () => {
  const tenants = await Promise.all(
    Array.from({ length: TENANTS }, (_, n) => newTenant(n % 2 ? first : second, { concurrentExecutions: 8 })),
  );
  const runs = tenants.map(async (tenant) => {
    const ids = await submitAll(tenant, 'rolling', 'import time; time.sleep(0.5); ');
    return Promise.all(ids.map((id) => tenant.ended(id)));
  });
  for (const platform of [first, second])
    await expect.poll(() => turnsOf(platform), { timeout: 30_000 }).toBeGreaterThan(0);
  for (const service of ['session', 'scheduler', 'gateway', 'auth'])
    for (const platform of [first, second]) await platform.restart(service);
  for (const executor of ['executor-1', 'executor-2']) await first.restart(executor);
  for (const executions of await Promise.all(runs))
    expect(executions.map(({ verdict, stdout }) => [verdict, stdout])).toEqual(expected);
  for (const tenant of tenants) tenant[Symbol.dispose]();
});

test('what waits is run though NATS has lost everything that it had', async () => {
  using tenant = await newTenant(first, { concurrentExecutions: 8 });
  for (const executor of ['executor-1', 'executor-2']) await first.kill(executor);
  const ids = await submitAll(tenant, 'lost');
  await loseEverything(first);
  for (const executor of ['executor-1', 'executor-2']) await first.restart(executor);
  const executions = await Promise.all(ids.map((id) => tenant.ended(id)));
  expect(executions.map(({ verdict, stdout }) => [verdict, stdout])).toEqual(expected);
});

/** As a NATS whose disk is gone. */
async function loseEverything({ kill, restart, tlsDirectory }: Platform): Promise<void> {
  await kill('nats');
  await rm(join(dirname(tlsDirectory), 'nats'), { recursive: true });
  await restart('nats');
}
