import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Program, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;
beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 0, ceiling: 1 }, environment: { EXECUTOR_PROCESSES: '1000' } });
});
afterAll(() => executor?.[Symbol.asyncDispose]());

test('a sandbox whose processes the host may not have besides is refused, until others have ended', async () => {
  const full = { reason: 'NO_CAPACITY', details: { retryAfterMs: 1_000 } };
  await expect(executor.claim({}, { processes: 1_001 })).rejects.toMatchObject(full);
  const { sandboxId } = await executor.claim({}, { processes: 600 });
  await expect(executor.claim({}, { processes: 401 })).rejects.toMatchObject(full);
  const second = await executor.claim({}, { processes: 400 });
  await executor.destroy(sandboxId);
  const third = await executor.claim({}, { processes: 600 });
  for (const each of [second, third]) await executor.destroy(each.sandboxId);
});

describe('an execution that needs more processes than are left is refused, whichever of its steps needs them', () => {
  const source = 'print(1)';
  const limits = { processes: 1_001 };
  test.each<[string, Program]>([
    ['compiler', { source, compile: ['true'], compileLimits: limits }],
    ['program', { source, limits }],
    ['second case', { source, cases: [{}, { limits }] }],
    ['checker', { source, checker: { source, limits } }],
  ])('its %s, in a cell and in a sandbox', async (_, program) => {
    for (const isolation of ['CELL', 'SANDBOX'] as const)
      await expect(executor.run({ ...program, isolation }), isolation).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  });
});
