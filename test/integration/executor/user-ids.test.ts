import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { execa } from 'execa';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { observe, variables } from './backend-under-test.ts';
import type { Observed } from './engine.ts';
import { python, startExecutor, type TestExecutor } from './fixture.ts';

const FIRST = 2_099_000_000;
const IDS = { EXECUTOR_FIRST_USER_ID: `${FIRST}`, EXECUTOR_USER_IDS: '4', EXECUTOR_MAX_SANDBOXES: '2' };
const EMPTY = { pool: { floor: 0, ceiling: 0 } };
let executor: TestExecutor;
let observed: Observed;

beforeEach(async () => {
  observed = await observe();
  executor = await startExecutor({ ...EMPTY, environment: { ...observed.variables, ...IDS } });
});
afterEach(async () => {
  await executor[Symbol.asyncDispose]();
  await observed[Symbol.asyncDispose]();
});

const userOf = async (sandboxId: string) =>
  Number((await executor.command(sandboxId, python('import os; print(os.getuid())'))).stdout);

test('a sandbox keeps its user over a crash, and nobody else gets it before it is gone', async () => {
  const [first, second] = [await executor.sandbox(), await executor.sandbox()];
  const [user, other] = [await userOf(first), await userOf(second)];
  expect([user, other].toSorted()).toEqual([FIRST, FIRST + 2]);
  await executor.destroy(second);
  await executor.kill();
  await executor.restart();

  const third = await executor.sandbox();
  expect([await userOf(first), await userOf(third)]).toEqual([user, other]);
  await expect(executor.claim()).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  await executor.destroy(first);
  expect(await userOf(await executor.sandbox())).toBe(user);
});

test('a user is free again if somebody else removed its container', async () => {
  const sandboxes = [await executor.sandbox(), await executor.sandbox()];
  const users = await Promise.all(sandboxes.map(userOf));
  await executor.engine.removeAll();
  await expect.poll(() => executor.metric('executor_sandboxes')).toBe(0);
  // It looks at what there is when it can hear the engine again.
  observed.break();
  const claimed = await vi.waitFor(() => executor.sandbox(), { timeout: 20_000, interval: 100 });
  expect(users).toContain(await userOf(claimed));
});

test.each([
  ['the same', {}],
  ['some of them', { EXECUTOR_FIRST_USER_ID: `${FIRST - 2}` }],
])('a second executor on the host does not start with %s', async (_, changes) => {
  expect(await lastWords(changes)).toContain(
    `EXECUTOR_FIRST_USER_ID: another executor on this host has the user ids ${FIRST} to ${FIRST + 3}`,
  );
});

test('nor one that the containers of another are left to', async () => {
  const sandboxId = await executor.sandbox();
  const instanceId = await executor.instanceOf(sandboxId);
  await executor.kill();
  expect(await lastWords()).toContain(
    `EXECUTOR_FIRST_USER_ID: others have user ids of ${FIRST} to ${FIRST + 3}: ` +
      `container drydock-${instanceId} of executor ${executor.id} has ${FIRST}`,
  );
  await executor.restart();
  expect(await userOf(sandboxId)).toBe(FIRST);
});

test('nor one whose users run something else on the host', async () => {
  await executor.stop();
  const sleep = spawn('sleep', ['600'], { uid: FIRST + 1, gid: 0 });
  await once(sleep, 'spawn');
  expect(await lastWords()).toContain(`process ${sleep.pid} runs as ${FIRST + 1}`);
  sleep.kill();
});

test.each([
  [{ EXECUTOR_USER_IDS: '3' }, 'EXECUTOR_USER_IDS: needs at least 4, 2 for each of the 2 instances'],
  [{ EXECUTOR_FIRST_USER_ID: '1000' }, 'EXECUTOR_FIRST_USER_ID: needs a whole number from 65536 to 2147483647'],
  [{ EXECUTOR_USER_IDS: 'many' }, 'EXECUTOR_USER_IDS: needs a whole number from 1'],
  [{ EXECUTOR_FIRST_USER_ID: '2147483646' }, 'EXECUTOR_USER_IDS: needs a whole number from 1 to 2'],
  [{ EXECUTOR_INDEX: '1000' }, 'EXECUTOR_INDEX: needs a whole number from 0 to 999'],
])('nor one with %o', async (changes, words) => {
  await executor.stop();
  expect(await lastWords(changes)).toContain(words);
});

/** What an executor prints that cannot start. */
async function lastWords(changes: Record<string, string> = {}): Promise<string> {
  const directory = await mkdtemp('/tmp/dd-');
  const ended = await execa(process.execPath, ['services/executor/main.ts'], {
    reject: false,
    all: true,
    timeout: 20_000,
    env: {
      ...variables(),
      ...IDS,
      EXECUTOR_ID: `${executor.id}-second`,
      EXECUTOR_DATA_DIR: directory,
      CATALOG_FILE: executor.catalogFile,
      NATS_URL: executor.nats.url,
      ...changes,
    },
  });
  await rm(directory, { recursive: true });
  expect(ended.exitCode).toBe(1);
  return ended.all;
}
