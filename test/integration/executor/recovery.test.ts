import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { connectEvents, type Events } from '#libs/nats/events.ts';
import { ANY, executorAnnounced, SANDBOX_CHANGED, sandboxEnded } from '#libs/nats/subjects.ts';
import { type ExecutorAnnounced, SandboxChanged, type SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import type { StartProcessResponse } from '#proto/drydock/v1/process.ts';
import { collect, textOf } from '../../support/api.ts';
import { NEEDS_ENGINE, observe, pythonImage } from './backend-under-test.ts';
import type { Observed } from './engine.ts';
import { CALLER, MiB, python, startExecutor, type TestExecutor } from './fixture.ts';

let observed: Observed;
let executor: TestExecutor;
let events: Events & AsyncDisposable;
let ended: SandboxEnded[];

beforeEach(async () => {
  observed = await observe();
  executor = await startExecutor({ pool: { floor: 1, ceiling: 1 }, environment: observed.variables });
  events = connectEvents({
    url: executor.nats.url,
    name: 'test',
    log: createLogger('test'),
  });
  ended = [];
  events.consumeDurable(sandboxEnded(ANY), { durable: 'test', handle: async (event) => ended.push(event) });
});

afterEach(async () => {
  await events[Symbol.asyncDispose]();
  await executor[Symbol.asyncDispose]();
  await observed[Symbol.asyncDispose]();
});

const containers = () => executor.engine.list();
const warm = () => executor.metric('executor_warm_sandboxes{');
const settled = () => expect.poll(warm, { timeout: 20_000 }).toBe(1);

/** Starts a detached process that counts, and leaves it. */
async function beginCounting(sandboxId: string): Promise<string> {
  const command = python('import time\nfor i in range(60): print(i, flush=True); time.sleep(0.1)');
  const leave = new AbortController();
  for await (const { event } of executor.start(sandboxId, command, { detached: true }, leave.signal)) {
    if (event?.$case !== 'started') continue;
    const { processId } = event.value;
    setTimeout(() => leave.abort());
    return processId;
  }
  throw new Error('it did not start');
}

const joined = async (sandboxId: string, processId: string) =>
  collect(
    executor.processes.connectProcess({ sandboxId, processId, stdoutOffset: 0, stderrOffset: 0 }, { caller: CALLER }),
  );
const COUNTED = Array.from({ length: 60 }, (_, i) => `${i}\n`).join('');

test('after a crash what was confirmed lives on, and everything else is gone', async () => {
  await settled();
  const sandboxId = await executor.sandbox({ environment: { OWNER: 'us' } });
  await settled();
  const unconfirmed = await executor.claim();
  await settled();
  const processId = await beginCounting(sandboxId);
  const before = await containers();
  expect(before.length).toBe(3);

  await executor.kill();
  await executor.restart();

  expect((await executor.command(sandboxId, python('import os; print(os.environ["OWNER"])'))).stdout).toBe('us\n');
  await expect(executor.command(unconfirmed.sandboxId, ['true'])).rejects.toMatchObject({
    reason: 'SANDBOX_NOT_FOUND',
  });
  await expect.poll(() => ended).toMatchObject([{ sandboxId: unconfirmed.sandboxId, reason: 'EXITED' }]);
  expect((await joined(sandboxId, processId)).stdout).toBe(COUNTED);
  await settled();
  const after = await containers();
  // One taken over and a new warm one: the pool neither counts nor keeps what it does not know.
  expect(after.length).toBe(2);
  expect(before.filter((id) => after.includes(id)).length).toBe(1);
  expect(await executor.metric('executor_sandboxes')).toBe(1);
  await executor.destroy(sandboxId);
  expect((await containers()).length).toBe(1);
});

test('a sandbox whose claim is damaged outlives a crash, and is there again with its claim', async ({ skip }) => {
  if (NEEDS_ENGINE) skip(NEEDS_ENGINE);
  const [sandboxId, other] = [await executor.sandbox(), await executor.sandbox()];
  const instance = await executor.instanceOf(sandboxId);
  const file = join(executor.dataDirectory, 'claims', `${instance}.json`);
  const claim = await readFile(file);
  await executor.kill();
  await writeFile(file, claim.subarray(0, 40));
  await executor.restart();

  expect((await executor.command(other, ['echo', 'here'])).stdout).toBe('here\n');
  await expect(executor.command(sandboxId, ['true'])).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
  expect(await executor.metric('executor_quarantined_sandboxes')).toBe(1);
  await settled();
  expect(await containers()).toContain(instance);

  await writeFile(file, claim);
  // It looks at what there is when it can hear the engine again.
  observed.break();
  await expect.poll(() => executor.metric('executor_quarantined_sandboxes'), { timeout: 20_000 }).toBe(0);
  expect((await executor.command(sandboxId, ['echo', 'back'])).stdout).toBe('back\n');
  expect(ended).toEqual([]);
});

test('an orderly stop hands sandboxes on and leaves no warm ones', async () => {
  await settled();
  const sandboxId = await executor.sandbox();
  const processId = await beginCounting(sandboxId);
  await executor.stop();
  expect((await containers()).length).toBe(1);
  await executor.restart();
  expect((await joined(sandboxId, processId)).stdout).toBe(COUNTED);
});

test('a sandbox that vanished while the executor was away is reported', async () => {
  const sandboxId = await executor.sandbox();
  await executor.kill();
  await executor.engine.removeAll();
  await executor.restart();
  await expect
    .poll(() => ended)
    .toMatchObject([{ sandboxId, organizationId: CALLER.organizationId, reason: 'EXITED' }]);
  await expect(executor.command(sandboxId, ['true'])).rejects.toMatchObject({
    reason: 'SANDBOX_NOT_FOUND',
  });
});

test('a sandbox that ends by itself ends its calls with the reason, and is reported once', async () => {
  await settled();
  const [idle] = await containers();
  const { sandboxId } = { sandboxId: await executor.sandbox() };
  const call = executor.command(sandboxId, ['sleep', '60']);
  call.catch(() => {});
  await expect
    .poll(async () => (await executor.processes.listProcesses({ sandboxId }, { caller: CALLER })).processes.length)
    .toBe(1);
  await executor.engine.kill(idle!);
  await expect(call).rejects.toMatchObject({
    reason: 'SANDBOX_STOPPED',
    details: { metadata: { stopReason: 'EXITED' } },
  });
  await expect.poll(() => ended).toMatchObject([{ sandboxId, executorId: executor.id, reason: 'EXITED' }]);
  await expect.poll(containers).not.toContain(idle);
  expect(ended.length).toBe(1);
});

test('what ends while NATS is away is reported when it is back', async () => {
  await settled();
  const [idle] = await containers();
  const sandboxId = await executor.sandbox();
  await executor.nats.stop();
  await executor.engine.kill(idle!);
  await expect.poll(() => executor.metric('executor_sandboxes')).toBe(0);
  await executor.nats.start();
  await expect.poll(() => ended, { timeout: 20_000 }).toMatchObject([{ sandboxId }]);
});

test('strange containers go, and what ended while the engine could not be heard is found', async () => {
  await settled();
  const [claimed] = await containers();
  const sandboxId = await executor.sandbox();
  await settled();
  const orphan = await executor.engine.makeOrphan(await pythonImage());
  const other = (await containers()).find((id) => id !== claimed && id !== orphan);
  observed.break();
  await executor.engine.kill(other!);
  await expect.poll(containers, { timeout: 20_000 }).not.toContain(orphan);
  await settled();
  await expect.poll(async () => (await containers()).length).toBe(2);
  expect((await executor.command(sandboxId, ['echo', 'here'])).stdout).toBe('here\n');
});

test('a program runs on while the way to its sandbox breaks, and nothing of it is lost', async () => {
  const sandboxId = await executor.sandbox();
  const program = python(
    'import time\nfor i in range(150): print(i, "x" * 20000, flush=True); time.sleep(0.02)\nexit(3)',
  );
  let breaks = 0;
  let lines = '';
  let exitCode: number | undefined;
  for await (const { event } of executor.start(sandboxId, program)) {
    if (event?.$case === 'stdout') lines += textOf(event.value);
    if (event?.$case === 'exited') exitCode = event.value.exitCode;
    if (lines.length < (breaks + 1) * 700_000) continue;
    breaks++;
    observed.break();
  }
  expect(breaks).toBe(4);
  expect(exitCode).toBe(3);
  expect(lines).toBe(Array.from({ length: 150 }, (_, i) => `${i} ${'x'.repeat(20_000)}\n`).join(''));
});

/** What session says of a sandbox. */
function changed(sandboxId: string, organizationId: string, state: SandboxChanged['state']): void {
  const event = SandboxChanged.create({ sandboxId, organizationId, executorId: executor.id, state });
  events.publish(SANDBOX_CHANGED, event);
}

test('a sandbox that is on record as stopped is destroyed', async () => {
  const sandboxId = await executor.sandbox();
  changed(sandboxId, 'org_theirs', 'STOPPED');
  changed(sandboxId, CALLER.organizationId, 'STOPPED');
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  expect(ended).toEqual([]);
});

test('a claim that is on record as running is confirmed, and outlives a crash', async () => {
  const { sandboxId } = await executor.claim();
  changed(sandboxId, CALLER.organizationId, 'RUNNING');
  const claims = join(executor.dataDirectory, 'claims');
  const confirmed = async () =>
    Promise.all(
      (await readdir(claims)).map(async (name) => JSON.parse(await readFile(join(claims, name), 'utf8')).confirmed),
    );
  await expect.poll(confirmed).toEqual([true]);
  await executor.kill();
  await executor.restart();
  expect((await executor.command(sandboxId, ['echo', 'here'])).stdout).toBe('here\n');
});

test('a claim that nobody confirms is destroyed after 30 s', async () => {
  const { sandboxId } = await executor.claim();
  await executor.command(sandboxId, ['sleep', '25']);
  expect(await executor.metric('executor_sandboxes')).toBe(1);
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 15_000 }).toBe(0);
  await expect.poll(() => ended).toMatchObject([{ sandboxId, reason: 'EXITED' }]);
});

test('it announces itself, and that it drains', async () => {
  const heard: ExecutorAnnounced[] = [];
  events.subscribe(executorAnnounced(ANY), (heartbeat) => heard.push(heartbeat));
  await settled();
  await expect.poll(() => heard.length, { timeout: 5_000 }).toBeGreaterThan(0);
  const before = heard.at(-1)!;
  const sandboxId = await executor.sandbox({}, { memoryBytes: 300 * MiB });
  await expect.poll(() => heard.at(-1)?.sandboxes, { timeout: 5_000 }).toBe(1);
  const last = heard.at(-1)!;
  expect(last).toMatchObject({
    executorId: executor.id,
    address: executor.address,
    capacity: 200,
    draining: false,
    executions: 0,
  });
  expect(before.freeMemoryBytes - last.freeMemoryBytes).toBe(300 * MiB);
  expect(Object.keys(last.warm)).toEqual(['python']);
  expect(last.executionSlots).toBeGreaterThan(0);

  const call = executor.start(sandboxId, ['sleep', '3'])[Symbol.asyncIterator]();
  await call.next();
  const stopped = executor.stop();
  await expect.poll(() => heard.at(-1)?.draining).toBe(true);
  const announced = heard.length;
  // The call that was under way is let end, and the executor is not silent meanwhile.
  const { value } = await call.next();
  expect((value as StartProcessResponse).event).toMatchObject({
    $case: 'exited',
    value: { exitCode: 0 },
  });
  expect(heard.length).toBeGreaterThan(announced);
  await stopped;
});

test('a second process does not take what the first one holds', async () => {
  await executor.sandbox();
  await expect(executor.restart()).rejects.toThrow('ended with 1');
});
