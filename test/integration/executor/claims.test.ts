import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { NEEDS_ENGINE, observe } from './backend-under-test.ts';
import type { Observed } from './engine.ts';
import { CALLER, MiB, python, STRANGER, specOf, startExecutor, type TestExecutor } from './fixture.ts';

let observed: Observed;
let executor: TestExecutor;

beforeAll(async () => {
  observed = await observe();
  executor = await startExecutor({
    pool: { floor: 2, ceiling: 4 },
    environment: {
      ...observed.variables,
      EXECUTOR_MAX_SANDBOXES: '4',
      EXECUTOR_MEMORY_BYTES: String(2048 * MiB),
    },
  });
});

afterAll(async () => {
  await executor[Symbol.asyncDispose]();
  await observed[Symbol.asyncDispose]();
});

const warm = () => executor.metric('executor_warm_sandboxes{');
const limitsOf = async (sandboxId: string) => {
  const read = async (file: string) =>
    Number((await executor.command(sandboxId, ['cat', `/sys/fs/cgroup/${file}`])).stdout);
  return {
    memory: await read('memory/memory.limit_in_bytes'),
    swap: await read('memory/memory.memsw.limit_in_bytes'),
    processes: await read('pids/pids.max'),
    quota: await read('cpu/cpu.cfs_quota_us'),
  };
};

/** What was asked about the instance of a sandbox since then: the pool refills as soon as one is taken. */
const askedAbout = async (sandboxId: string) => {
  const name = executor.engine.nameOf(await executor.instanceOf(sandboxId));
  return observed.requests.filter((line) => line.includes(name));
};

test('a warm claim asks nothing of what is below, with its own environment', async () => {
  await expect.poll(warm, { timeout: 20_000 }).toBe(2);
  observed.requests.length = 0;
  const claimed = await executor.claim({ environment: { OWNER: 'us' } });
  expect(claimed.warm).toBe(true);
  const { stdout } = await executor.command(claimed.sandboxId, python('import os; print(os.environ["OWNER"])'));
  expect(stdout).toBe('us\n');
  expect(await askedAbout(claimed.sandboxId)).toEqual([]);
  await executor.destroy(claimed.sandboxId);
});

test('a warm claim with limits of its own asks nothing of the engine either', async ({ skip }) => {
  if (NEEDS_ENGINE) skip(NEEDS_ENGINE);
  await expect.poll(warm, { timeout: 20_000 }).toBeGreaterThanOrEqual(2);
  observed.requests.length = 0;
  const limits = { memoryBytes: 320 * MiB, processes: 32, cpus: 0.5 };
  const claimed = await executor.claim({}, limits);
  expect(claimed.warm).toBe(true);
  expect(await limitsOf(claimed.sandboxId)).toEqual({
    memory: limits.memoryBytes,
    swap: limits.memoryBytes,
    processes: 48,
    quota: 50_000,
  });
  expect(await askedAbout(claimed.sandboxId)).toEqual([]);
  await executor.destroy(claimed.sandboxId);
});

test('limits that a warm one cannot take are made anew', async () => {
  const { sandboxId, warm } = await executor.claim({}, { diskBytes: 16 * MiB, memoryBytes: 128 * MiB });
  expect(warm).toBe(false);
  expect(await limitsOf(sandboxId)).toMatchObject({
    memory: 128 * MiB,
    swap: 128 * MiB,
  });
  await executor.destroy(sandboxId);
});

test('a claim repeated, also at the same time, is one sandbox', async () => {
  const spec = specOf();
  const claim = () => executor.executor.claimSandbox({ spec }, { caller: CALLER });
  const answers = await Promise.all([claim(), claim()]);
  answers.push(await claim());
  expect(new Set(answers.map(({ warm }) => warm)).size).toBe(1);
  expect(await executor.metric('executor_sandboxes')).toBe(1);
  await executor.destroy(spec.sandboxId);
  await executor.destroy(spec.sandboxId);
  expect(await executor.metric('executor_sandboxes')).toBe(0);
});

test('a full executor says so before it does anything', async () => {
  const huge = executor.claim({}, { memoryBytes: 4096 * MiB });
  await expect(huge).rejects.toMatchObject({
    reason: 'NO_CAPACITY',
    details: { retryAfterMs: 1000 },
  });
  const claims = await Promise.allSettled(Array.from({ length: 6 }, () => executor.claim()));
  const refused = claims.filter(({ status }) => status === 'rejected');
  expect(refused).toMatchObject([{ reason: { reason: 'NO_CAPACITY' } }, { reason: { reason: 'NO_CAPACITY' } }]);
  const taken = claims.flatMap((claim) => (claim.status === 'fulfilled' ? [claim.value.sandboxId] : []));
  await Promise.all(taken.map((sandboxId) => executor.destroy(sandboxId)));
  const { sandboxId } = await executor.claim();
  await executor.destroy(sandboxId);
});

test('a claim is on the disk before it can be used', async () => {
  const { sandboxId } = await executor.claim();

  expect(await claimFiles()).toMatchObject([{ sandboxId, organizationId: CALLER.organizationId, confirmed: false }]);
  await executor.executor.confirmSandbox({ sandboxId }, { caller: CALLER });
  const expireTime = new Date(Date.now() + 3_600_000);
  await executor.executor.extendSandbox({ sandboxId, expireTime }, { caller: CALLER });
  expect(await claimFiles()).toMatchObject([{ sandboxId, confirmed: true, expireTime: expireTime.getTime() }]);
  await executor.destroy(sandboxId);
  expect(await claimFiles()).toEqual([]);
});

test('a sandbox ends at its deadline by itself', async () => {
  const sandboxId = await executor.sandbox({
    expireTime: new Date(Date.now() + 1_500),
  });
  await expect(executor.command(sandboxId, ['sleep', '60'])).rejects.toMatchObject({ reason: 'SANDBOX_STOPPED' });
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
});

test('deleting waits until nothing is left', async () => {
  const sandboxId = await executor.sandbox({}, { diskBytes: 16 * MiB });
  const made = await instanceOf(sandboxId);
  await executor.destroy(sandboxId);
  expect(await executor.engine.list()).not.toContain(made);
});

test('what another organisation, or nobody, has is not found', async () => {
  const sandboxId = await executor.sandbox();
  const missing = { reason: 'SANDBOX_NOT_FOUND' };
  await expect(executor.executor.confirmSandbox({ sandboxId }, { caller: STRANGER })).rejects.toMatchObject(missing);
  await expect(
    executor.executor.extendSandbox({ sandboxId, expireTime: new Date() }, { caller: STRANGER }),
  ).rejects.toMatchObject(missing);
  await expect(executor.executor.confirmSandbox({ sandboxId: newId('sbx') }, { caller: CALLER })).rejects.toMatchObject(
    missing,
  );
  await executor.destroy(sandboxId);
});

test('a spec without limits is refused, not unlimited', async () => {
  const spec = { ...specOf(), limits: undefined };
  await expect(executor.executor.claimSandbox({ spec }, { caller: CALLER })).rejects.toMatchObject({
    reason: 'INTERNAL',
  });
});

async function claimFiles() {
  const folder = join(executor.dataDirectory, 'claims');
  return Promise.all(
    (await readdir(folder)).map(async (name) => JSON.parse(await readFile(join(folder, name), 'utf8'))),
  );
}

async function instanceOf(sandboxId: string): Promise<string> {
  const folder = join(executor.dataDirectory, 'claims');
  for (const name of await readdir(folder))
    if ((await readFile(join(folder, name), 'utf8')).includes(sandboxId)) return name.replace('.json', '');
  throw new Error('no claim');
}
