import { mkdtemp, rm } from 'node:fs/promises';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { ensureImages } from '../../deploy/images/build.ts';
import { startEngine } from '../../deploy/local/engine.ts';
import type { Platform } from '../../deploy/local/platform.ts';
import { tableOf } from '../bench/report.ts';
import { startTestPlatform } from '../support/platform.ts';
import { newTenant } from './patient-tenant.ts';

const EXECUTIONS = 120;
const SANDBOXES = 6;
const NOTICED_WITHIN_MS = 10_000;

let directory: string;
let engine: Awaited<ReturnType<typeof startEngine>>;
let platform: Platform;

beforeAll(async () => {
  directory = await mkdtemp('/tmp/dd-host-');
  engine = await startOn(directory);
  const cacheDirectory = process.env.IMAGE_CACHE ?? '/var/lib/drydock/images';
  await ensureImages({ dockerSocket: engine.socket, cacheDirectory }, ['python']);
  platform = await startTestPlatform({
    backend: { kind: 'docker', sockets: [process.env.DOCKER_SOCKET ?? '/var/run/docker.sock', engine.socket] },
    environment: { LOG_LEVEL: 'warn' },
  });
}, 300_000);
afterAll(async () => {
  await platform?.[Symbol.asyncDispose]();
  await engine?.[Symbol.asyncDispose]();
  await rm(directory, { recursive: true, force: true });
});

const startOn = (dataDirectory: string) => startEngine({ dataDirectory, runDirectory: join(dataDirectory, 'run') });

const containers = async (): Promise<string[]> =>
  (await new Docker({ socketPath: engine.socket }).listContainers({ all: true })).map(({ Id }) => Id);

test('an engine on the data of one that runs is refused, and ends nothing of it', async () => {
  const docker = new Docker({ socketPath: engine.socket });
  const running = async () => (await docker.listContainers()).map(({ Id }) => Id);
  await expect.poll(async () => (await running()).length).toBeGreaterThan(0);
  const before = await running();
  await expect(startOn(directory)).rejects.toThrow(/another process, with an engine of its own, holds/);
  expect(await running()).toEqual(expect.arrayContaining(before));
});

test('a lost host is noticed within ten seconds, its work is done elsewhere, and what it still holds when it is back goes', async () => {
  using tenant = await newTenant(platform, { concurrentExecutions: 16 });
  const sandboxes: string[] = [];
  for (let n = 0; n < SANDBOXES; n++)
    sandboxes.push((await tenant.api.createSandbox({ lifetime: { seconds: 3600, nanos: 0 } })).id);
  const states = async () => {
    const found = await Promise.all(sandboxes.map((sandboxId) => tenant.api.sandboxes.getSandbox({ sandboxId })));
    return found.map(({ sandbox }) => `${sandbox!.state} ${sandbox!.stopReason}`);
  };
  let ended = 0;
  const half = Promise.withResolvers<void>();
  const runs = Array.from({ length: EXECUTIONS }, async (_, n) => {
    const execution = await tenant.ended(await tenant.submit(`${n}`, `import time; time.sleep(1); print(${n})`));
    ended += 1;
    if (ended === EXECUTIONS / 4) half.resolve();
    return execution;
  });
  await half.promise;
  const held = await containers();
  expect(held.length).toBeGreaterThan(0);

  const lost = performance.now();
  await Promise.all([platform.kill('executor-2'), engine.stop('SIGKILL')]);
  const atLoss = ended;
  const seconds = (since: number) => ((performance.now() - since) / 1000).toFixed(1);
  await expect.poll(states, { timeout: NOTICED_WITHIN_MS, interval: 100 }).toContain('STOPPED HOST_LOST');
  const noticed = seconds(lost);
  const after = await states();
  expect(after).toContain('RUNNING STOP_REASON_UNSPECIFIED');
  for (const [index, state] of after.entries())
    if (state.startsWith('RUNNING'))
      expect(await tenant.api.command(sandboxes[index]!, ['echo', 'here'])).toMatchObject({ stdout: 'here\n' });

  const executions = await Promise.all(runs);
  const done = seconds(lost);
  expect(executions.map(({ verdict, stdout }) => [verdict, stdout])).toEqual(
    executions.map((_, n) => ['ACCEPTED', `${n}\n`]),
  );

  await engine.restart();
  const surviving = (await containers()).filter((id) => held.includes(id));
  await platform.restart('executor-2');
  const back = performance.now();
  await expect
    .poll(async () => (await containers()).filter((id) => held.includes(id)), { timeout: 60_000 })
    .toEqual([]);
  const again = executions.filter(({ attempts }) => attempts > 1).length;
  process.stdout.write(
    `${tableOf(
      ['ended before', 'noticed after s', 'all ended after s', 'begun again', 'held when back', 'gone after s'],
      [[atLoss, noticed, done, again, surviving.length, seconds(back)]],
    )}\n`,
  );
}, 300_000);
