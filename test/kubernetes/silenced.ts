import { expect } from 'vitest';
import { CALLER, python, type TestExecutor } from '../integration/executor/fixture.ts';
import { startedId } from '../support/api.ts';

const STOPS_EVERYBODY = 'import os\nif os.fork() == 0:\n  while True: os.kill(-1, 19)';

/** Makes a sandbox whose program stops all that has its user, until it answers nobody any more. */
export async function silencedSandbox(executor: TestExecutor): Promise<string> {
  const sandboxId = await executor.sandbox();
  const answers = () =>
    executor.processes.listProcesses({ sandboxId }, { caller: CALLER, signal: AbortSignal.timeout(1_000) }).then(
      () => true,
      () => false,
    );
  expect(await answers()).toBe(true);
  await startedId(executor.start(sandboxId, python(STOPS_EVERYBODY), { detached: true }));
  await expect.poll(answers).toBe(false);
  return sandboxId;
}
