import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { textOf } from '../../api.ts';
import { python, STRANGER, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;
let sandboxId: string;

beforeAll(async () => {
  executor = await startExecutor();
  sandboxId = await executor.sandbox({ environment: { GREETING: 'hello' } });
});

afterAll(() => executor[Symbol.asyncDispose]());

test('a command has its output, its exit code and the environment of its sandbox', async () => {
  const { stdout, stderr, exited } = await executor.command(
    sandboxId,
    python('import os, sys; print(os.environ["GREETING"], os.environ["MORE"]); print("oh", file=sys.stderr); sys.exit(3)'),
    { environment: { MORE: 'there' } },
  );
  expect({ stdout, stderr }).toEqual({ stdout: 'hello there\n', stderr: 'oh\n' });
  expect(exited).toMatchObject({ exitCode: 3, signal: '' });
  expect(exited.usage?.peakMemoryBytes).toBeGreaterThan(0);
});

test('a signal has its name', async () => {
  const { exited } = await executor.command(sandboxId, python('import os; os.abort()'));
  expect(exited.signal).toBe('SIGABRT');
  expect(exited.exitCode).toBeUndefined();
});

test('another organisation finds nothing', async () => {
  const request = { sandboxId, processId: 'prc_x' };
  await expect(executor.processes.listProcesses({ sandboxId }, { caller: STRANGER })).rejects.toMatchObject({
    reason: 'SANDBOX_NOT_FOUND',
  });
  await expect(
    executor.processes.signalProcess({ ...request, signal: 'SIGKILL' }, { caller: STRANGER }),
  ).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});
