import { afterAll, beforeAll, expect, test } from 'vitest';
import { startExecutor, type TestExecutor } from './fixture.ts';

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
  await executor.claim({}, { processes: 400 });
  await executor.destroy(sandboxId);
  await executor.claim({}, { processes: 600 });
});
