import { expect, test, vi } from 'vitest';
import { KUBECONFIG } from '../integration/executor/backend-under-test.ts';
import { observeCluster } from '../integration/executor/cluster.ts';
import { python, startExecutor } from '../integration/executor/fixture.ts';
import { silencedSandbox } from './silenced.ts';

const WITHIN = { timeout: 20_000, interval: 50 };
const LASTING_MS = 10_000;
// Of which one takes some 50 ms of a node's time.
const MAX_STREAMS = 16;

test('a program that ends the stream to its agent again and again costs the cluster little', async () => {
  await using observed = await observeCluster(KUBECONFIG!);
  await using executor = await startExecutor({ pool: { floor: 0, ceiling: 0 }, environment: observed.variables });
  const sandboxId = await executor.sandbox();
  const streams = () => observed.requests.filter((line) => line.includes('/exec?')).length;
  const before = streams();
  const kill = `
import os, time
while True:
    try:
        os.kill(-1, 9)
    except ProcessLookupError:
        pass
    time.sleep(0.005)`;
  await executor.command(sandboxId, python(kill), { detached: true }).catch(() => {});
  await vi.waitUntil(() => streams() > before, WITHIN);
  const end = Date.now() + LASTING_MS;
  await vi.waitUntil(() => Date.now() > end, { timeout: 2 * LASTING_MS });
  expect(streams() - before).toBeGreaterThan(2);
  expect(streams() - before).toBeLessThan(MAX_STREAMS);
});

test('a program that stops the stream to its agent harms its own sandbox alone, which can be removed', async () => {
  await using executor = await startExecutor({ pool: { floor: 0, ceiling: 0 } });
  const silenced = await silencedSandbox(executor);
  expect(await executor.command(await executor.sandbox(), ['echo', 'here'])).toMatchObject({ stdout: 'here\n' });
  await executor.destroy(silenced);
  await expect(executor.command(silenced, ['true'])).rejects.toMatchObject({ reason: 'SANDBOX_NOT_FOUND' });
});
