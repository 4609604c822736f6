import { afterAll, beforeAll, expect, test } from 'vitest';
import { createLogger } from '#libs/log.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { ANY, sandboxEnded } from '#libs/nats/subjects.ts';
import type { SandboxEnded } from '#proto/drydock/internal/v1/events.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { CALLER, executionOf, python, startExecutor, type TestExecutor } from '../integration/executor/fixture.ts';
import { textOf } from '../support/api.ts';
import { connectCluster } from '../support/cluster.ts';
import { keepOtherNode } from '../support/other-node.ts';

const FLOOR = 2;
// Kubernetes takes a node for lost after 50 s of silence, and its pods are given up 5 s later.
const LOST_WITHIN = { timeout: 120_000, interval: 500 };
const WITHIN = { timeout: 60_000, interval: 200 };

const cluster = connectCluster();
let executor: TestExecutor;
let sandboxId: string;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: FLOOR, ceiling: FLOOR + 1 } });
  sandboxId = await executor.sandbox();
});
afterAll(() => executor[Symbol.asyncDispose]());

/** That there are so many sandboxes of organisations, the warm ones, and nothing besides. */
async function settled(sandboxes: number): Promise<void> {
  await expect.poll(() => executor.metric('executor_warm_sandboxes{'), WITHIN).toBe(FLOOR);
  await expect.poll(async () => (await executor.engine.list()).length, WITHIN).toBe(FLOOR + sandboxes);
  expect(await executor.metric('executor_sandboxes')).toBe(sandboxes);
}

/** Begins a program that counts for some seconds, and answers when it does, with what becomes of it. */
async function beginCounting(seconds: number): Promise<{ ended: Promise<void> }> {
  const numbers = Array.from({ length: seconds * 20 }, (_, i) => `${i}\n`).join('');
  const source = `import time\nfor i in range(${seconds * 20}): print(i, flush=True); time.sleep(0.05)\nraise SystemExit(7)`;
  const begun = Promise.withResolvers<void>();
  const follow = async () => {
    let printed = '';
    for await (const { event } of executor.start(sandboxId, python(source))) {
      if (event?.$case === 'stdout') printed += textOf(event.value);
      if (printed) begun.resolve();
      if (event?.$case === 'exited') expect(event.value.exitCode).toBe(7);
    }
    expect(printed).toBe(numbers);
  };
  const ended = follow();
  ended.catch(begun.reject);
  await begun.promise;
  return { ended };
}

/** Begins an execution whose program waits for some seconds, and answers when that runs, with its verdict. */
async function beginExecution(seconds: number): Promise<{ verdict: Promise<Verdict | undefined> }> {
  const spec = executionOf({ source: `import time; time.sleep(${seconds}); print(42)`, expectedOutput: '42' });
  const begun = Promise.withResolvers<void>();
  const follow = async () => {
    let verdict: Verdict | undefined;
    for await (const { event } of executor.executor.runExecution({ spec, streamOutput: false }, { caller: CALLER })) {
      if (event?.$case === 'runStarted') begun.resolve();
      if (event?.$case === 'result') verdict = event.value.execution?.verdict;
    }
    return verdict;
  };
  const verdict = follow();
  verdict.catch(begun.reject);
  await begun.promise;
  return { verdict };
}

test.each(['kube-apiserver', 'kubelet'] as const)(
  'what runs goes on while the %s is killed and comes back',
  async (component) => {
    const { verdict } = await beginExecution(6);
    const { ended } = await beginCounting(6);
    await cluster.stop(component, 'SIGKILL');
    await cluster.start(component);
    await ended;
    expect(await verdict).toBe('ACCEPTED');
    const next = await executor.sandbox();
    expect((await executor.command(next, ['echo', 'works'])).stdout).toBe('works\n');
    await executor.destroy(next);
    await settled(1);
  },
);

test('while etcd hangs for ten seconds commands run, and a warm sandbox is claimed', async () => {
  const { ended } = await beginCounting(10);
  await cluster.signal('etcd', 'SIGSTOP');
  try {
    const { warm, sandboxId: next } = await executor.claim();
    expect(warm).toBe(true);
    expect((await executor.command(next, ['echo', 'works'])).stdout).toBe('works\n');
    await ended;
    await cluster.signal('etcd', 'SIGCONT');
    await executor.destroy(next);
  } finally {
    await cluster.signal('etcd', 'SIGCONT');
  }
  await settled(1);
});

test('a pod that is evicted or deleted by somebody else is a sandbox that has ended, and says why', async () => {
  const evicted = await claimed();
  const deleted = await claimed();
  const metadata = evicted.pod;
  const calls = [evicted, deleted].map(({ id }) => executor.command(id, ['sleep', '60']));
  const [first, second] = calls.map((call) => call.catch((error: unknown) => error));
  await expect.poll(() => running(evicted.id), WITHIN).toBe(1);
  await expect.poll(() => running(deleted.id), WITHIN).toBe(1);
  await cluster.core.createNamespacedPodEviction({ ...metadata, body: { metadata } });
  await cluster.core.deleteNamespacedPod(deleted.pod);
  const stopped = (stopReason: string) => ({ reason: 'SANDBOX_STOPPED', details: { metadata: { stopReason } } });
  expect(await first).toMatchObject(stopped('EVICTED'));
  expect(await second).toMatchObject(stopped('EXITED'));
  await settled(1);
});

test('sandboxes of a lost node have stopped, and nothing of them is left when it comes back', async () => {
  await using events = connectEvents({ url: executor.nats.url, name: 'test', log: createLogger('test') });
  const ended: SandboxEnded[] = [];
  using _heard = events.subscribe(sandboxEnded(ANY), (event) => void ended.push(event));
  const lost = await claimed();
  await using _other = await keepOtherNode();
  await cluster.stop('kubelet', 'SIGKILL');
  try {
    await expect
      .poll(() => ended, LOST_WITHIN)
      .toContainEqual(expect.objectContaining({ sandboxId: lost.id, reason: 'HOST_LOST' }));
    await expect.poll(() => executor.metric('executor_sandboxes'), WITHIN).toBe(0);
    await expect.poll(() => executor.engine.list(), WITHIN).not.toContain(lost.instanceId);
  } finally {
    await cluster.start('kubelet');
  }
  await settled(0);
}, 240_000);

/** A sandbox and its pod. */
async function claimed(): Promise<{ id: string; instanceId: string; pod: { namespace: string; name: string } }> {
  const id = await executor.sandbox();
  const instanceId = await executor.instanceOf(id);
  const labelSelector = `drydock.dev/instance=${instanceId}`;
  const [pod] = (await cluster.core.listPodForAllNamespaces({ labelSelector })).items;
  const { namespace, name } = pod!.metadata!;
  return { id, instanceId, pod: { namespace: namespace!, name: name! } };
}

const running = async (id: string) => {
  const { processes } = await executor.processes.listProcesses({ sandboxId: id }, { caller: CALLER });
  return processes.length;
};
