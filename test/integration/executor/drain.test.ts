import { once } from 'node:events';
import { expect, test } from 'vitest';
import { startExecutor } from './fixture.ts';

test('a draining executor accepts nothing new, finishes what it has, and ends', async () => {
  await using executor = await startExecutor();
  const sandboxId = await executor.sandbox();
  const running = executor.run({ source: 'import time; time.sleep(2); print("ended")' });
  await expect.poll(() => executor.metric('executor_executions ')).toBe(1);
  const child = executor.process();
  const ended = once(child, 'exit');
  child.kill('SIGUSR2');
  await expect
    .poll(
      () =>
        executor.claim().then(
          () => 'taken',
          ({ reason }) => reason,
        ),
      { timeout: 10_000 },
    )
    .toBe('NO_CAPACITY');
  await expect(executor.run({ source: 'print(1)' })).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  expect(await executor.command(sandboxId, ['echo', 'still here'])).toMatchObject({ stdout: 'still here\n' });
  expect(await running).toMatchObject({ verdict: 'ACCEPTED', stdout: Buffer.from('ended\n') });
  expect(child.exitCode).toBeNull();
  await executor.destroy(sandboxId);
  expect(await ended).toEqual([0, null]);
  expect(await executor.engine.list()).toEqual([]);
});

test('a sandbox that does not end in time is evicted', async () => {
  await using executor = await startExecutor({ environment: { EXECUTOR_DRAIN_SECONDS: '1' } });
  await executor.sandbox();
  const child = executor.process();
  const ended = once(child, 'exit');
  child.kill('SIGUSR2');
  expect(await ended).toEqual([0, null]);
  expect(await executor.engine.list()).toEqual([]);
});
