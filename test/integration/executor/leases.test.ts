import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { CALLER, executionOf, MiB, type Options, type Program, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

const start = async (options: Options = {}) => {
  executor = await startExecutor({ pool: { floor: 0, ceiling: 0 }, ...options });
};
afterEach(() => executor[Symbol.asyncDispose]());

const containers = () => executor.engine.list();
const idle = () => executor.metric('executor_leases{use="idle"}');
const run = (organizationId: string, program: Partial<Program> = {}) =>
  executor.run({ isolation: 'CELL', source: 'print(1)', expectedOutput: '1', organizationId, ...program });

describe('one executor', () => {
  beforeEach(() => start());

  test('an organisation’s next execution runs in the same sandbox, and finds nothing of the one before', async () => {
    const trace = `import os
found = [p for p in ("/tmp/trace", "/home/user/trace", "/home/user/program/trace", "/dev/shm/trace") if os.path.exists(p)]
for d in ("/tmp", "/home/user", "/home/user/program", "/dev/shm"): open(d + "/trace", "w").write("x")
print(found, sorted(os.listdir("/home/user/program")), sum(p.isdigit() for p in os.listdir("/proc")) < 5)`;
    const first = await run('org_a', { source: trace, expectedOutput: "[] ['main.py', 'trace'] True" });
    const [host, ...others] = await containers();
    const second = await run('org_a', { source: trace, expectedOutput: "[] ['main.py', 'trace'] True" });
    expect([first.verdict, second.verdict], second.execution!.stdout).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect([others, await containers()]).toEqual([[], [host]]);
  });

  test('two organisations never share a cell host', async () => {
    await run('org_a');
    const ofA = await containers();
    await Promise.all([run('org_a'), run('org_b'), run('org_b')]);
    const ofB = (await containers()).filter((id) => !ofA.includes(id));
    expect(ofB.length).toBeGreaterThan(0);
    const spec = executionOf({
      isolation: 'CELL',
      source: 'import time; print(1, flush=True); time.sleep(60)',
      organizationId: 'org_b',
    });
    const leave = new AbortController();
    const events = executor.executor.runExecution({ spec, streamOutput: true }, { signal: leave.signal });
    await expect(async () => {
      for await (const { event } of events) if (event?.$case === 'stdout') leave.abort();
    }).rejects.toThrow();
    // What was one's is destroyed, and is nobody else's afterwards.
    await run('org_c');
    const left = await containers();
    expect(left).toEqual(expect.arrayContaining(ofA));
    expect(left.filter((id) => !ofA.includes(id) && !ofB.includes(id)).length).toBe(1);
  });

  test('each execution has its own limits there, and its own peak', async () => {
    const big = { source: 'bytearray(300 << 20); print(1)', limits: { memoryBytes: 512 * MiB } };
    const results = [await run('org_a', big), await run('org_a'), await run('org_a', { source: big.source })];
    expect(results.map(({ verdict }) => verdict)).toEqual(['ACCEPTED', 'ACCEPTED', 'MEMORY_EXCEEDED']);
    expect(results[0]!.execution!.usage!.peakMemoryBytes).toBeGreaterThan(300 * MiB);
    expect(results[1]!.execution!.usage!.peakMemoryBytes).toBeLessThan(64 * MiB);
    expect((await containers()).length).toBe(1);
  });

  test('an idle cell host that ends is replaced', async () => {
    await run('org_a');
    const [host] = await containers();
    await executor.engine.kill(host!);
    expect((await run('org_a')).verdict).toBe('ACCEPTED');
    await expect.poll(containers).not.toContain(host);
  });

  test('a cell host that ends under a program was ended by it, and the next case gets another one', async () => {
    const spec = executionOf({
      isolation: 'CELL',
      source: 'import time\nif input() == "wait": print(1, flush=True); time.sleep(60)',
      cases: [{ stdin: 'wait' }, { stdin: 'go' }],
    });
    let verdicts: string[] = [];
    for await (const { event } of executor.executor.runExecution({ spec, streamOutput: true }, { caller: CALLER })) {
      if (event?.$case === 'stdout') await executor.engine.kill((await containers())[0]!);
      if (event?.$case === 'result') verdicts = event.value.execution!.cases.map(({ verdict }) => verdict);
    }
    expect(verdicts).toEqual(['RUNTIME_ERROR', 'ACCEPTED']);
  });

  test('ending the call ends the program at once, and gives its slot and its sandbox back', async () => {
    const leave = new AbortController();
    const spec = executionOf({ isolation: 'CELL', source: 'import time; print(1, flush=True); time.sleep(60)' });
    const events = executor.executor.runExecution({ spec, streamOutput: true }, { signal: leave.signal });
    let left = 0;
    await expect(async () => {
      for await (const { event } of events) {
        if (event?.$case !== 'stdout') continue;
        left = performance.now();
        leave.abort();
      }
    }).rejects.toThrow();
    await expect.poll(() => executor.metric('executor_executions ')).toBe(0);
    await expect.poll(containers).toEqual([]);
    expect(performance.now() - left).toBeLessThan(3_000);
  });

  test('after a crash the cell hosts of the earlier process are destroyed', async () => {
    await run('org_a');
    const before = await containers();
    await executor.kill();
    await executor.restart();
    expect(await containers()).toEqual([]);
    await run('org_a');
    expect((await containers()).filter((id) => before.includes(id))).toEqual([]);
  });

  test('an orderly stop leaves no cell host', async () => {
    await run('org_a');
    await executor.stop();
    expect(await containers()).toEqual([]);
    await executor.restart();
  });
});

test('an idle cell host is destroyed after a while', async () => {
  await start({ environment: { EXECUTOR_LEASE_IDLE_MS: '1000' } });
  await run('org_a');
  await expect.poll(idle).toBe(1);
  await expect.poll(containers, { timeout: 10_000 }).toEqual([]);
  expect(await idle()).toBe(0);
});

test('when capacity runs out, the cell host idle longest is evicted, for executions and for sandboxes', async () => {
  await start({ environment: { EXECUTOR_MAX_SANDBOXES: '2' } });
  await run('org_a');
  const [ofA] = await containers();
  await run('org_b');
  const ofB = (await containers()).find((id) => id !== ofA);
  await run('org_a');
  await run('org_c');
  expect((await containers()).includes(ofB!)).toBe(false);
  expect(await containers()).toContain(ofA);
  await executor.sandbox();
  await executor.sandbox();
  expect(await idle()).toBe(0);
  await expect(run('org_a')).rejects.toMatchObject({ reason: 'NO_CAPACITY', details: { retryAfterMs: 1000 } });
});

test('executions beyond the slots wait, and those beyond the queue are told to retry', async () => {
  await start({ environment: { EXECUTOR_EXECUTION_SLOTS: '1' } });
  const results = await Promise.allSettled(
    Array.from({ length: 12 }, () => run('org_a', { source: 'import time; time.sleep(0.2); print(1)' })),
  );
  const refused = results.filter(({ status }) => status === 'rejected');
  expect(refused).toMatchObject(
    Array.from({ length: 3 }, () => ({ reason: { reason: 'NO_CAPACITY', details: { retryAfterMs: 1000 } } })),
  );
  expect(results.filter((each) => each.status === 'fulfilled' && each.value.verdict === 'ACCEPTED').length).toBe(9);
  expect((await containers()).length).toBe(1);
});

test('fifty executions, eight at a time, are all accepted, and leave a few idle sandboxes', async () => {
  await start({ pool: { floor: 0, ceiling: 0, cells: { floor: 1, ceiling: 2 } } });
  const queue = Array.from({ length: 50 }, (_, i) => i).values();
  const verdicts: string[] = [];
  const worker = async () => {
    for (const i of queue)
      verdicts.push((await run('org_a', { source: `print(${i})`, expectedOutput: `${i}` })).verdict);
  };
  await Promise.all(Array.from({ length: 8 }, worker));
  expect(verdicts).toEqual(Array.from({ length: 50 }, () => 'ACCEPTED'));
  await expect.poll(() => executor.metric('executor_leases{use="used"}')).toBe(0);
  // No more than ran at one time.
  expect(await idle()).toBeLessThanOrEqual(8);
});
