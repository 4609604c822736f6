import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { ResourceUsage } from '#proto/drydock/v1/resources.ts';
import { ISOLATIONS, KUBECONFIG, NEEDS_ENGINE } from './backend-under-test.ts';
import { CALLER, executionOf, MiB, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4, cells: { floor: 1, ceiling: 1 } } });
});

afterAll(() => executor[Symbol.asyncDispose]());

const double = 'n = int(input())\nif n == 3: raise SystemExit(3)\nprint(2 * n)';
const millis = (usage: ResourceUsage | undefined) => (usage?.cpuTime?.seconds ?? 0) * 1e3 + usage!.cpuTime!.nanos / 1e6;

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  test('each case has its own input and verdict, and the first failure is that of the whole', async () => {
    const { execution, stdout, events } = await executor.run({
      isolation,
      source: double,
      cases: [
        { name: 'one', stdin: '1', expectedOutput: '2' },
        { name: 'three', stdin: '3', expectedOutput: '6' },
        { name: 'four', stdin: '4', expectedOutput: '9' },
        { name: 'five', stdin: '5' },
      ],
    });
    expect(execution).toMatchObject({ verdict: 'RUNTIME_ERROR', exitCode: 3, isolation, stdout: '', stderr: '' });
    expect(execution!.cases).toMatchObject([
      { name: 'one', verdict: 'ACCEPTED', exitCode: 0, stdout: '2\n' },
      { name: 'three', verdict: 'RUNTIME_ERROR', exitCode: 3, stdout: '' },
      { name: 'four', verdict: 'WRONG_ANSWER', exitCode: 0, stdout: '8\n' },
      { name: 'five', verdict: 'ACCEPTED', exitCode: 0, stdout: '10\n' },
    ]);
    const usages = execution!.cases.map(({ usage }) => usage!);
    expect(millis(execution!.usage)).toBeCloseTo(
      usages.reduce((sum, usage) => sum + millis(usage), 0),
      3,
    );
    expect(execution!.usage!.peakMemoryBytes).toBe(Math.max(...usages.map((usage) => usage.peakMemoryBytes)));
    expect(stdout.length).toBe(0);
    expect(events).toEqual(['runStarted', 'runStarted', 'runStarted', 'runStarted', 'result']);
  });

  test('after the first failure nothing more is run where that is wanted', async () => {
    const { execution, events } = await executor.run({
      isolation,
      source: double,
      stopAtFirstFailure: true,
      cases: [
        { name: 'one', stdin: '1', expectedOutput: '2' },
        { name: 'two', stdin: '2', expectedOutput: '5' },
        { name: 'four', stdin: '4', expectedOutput: '8' },
      ],
    });
    expect(execution).toMatchObject({ verdict: 'WRONG_ANSWER', exitCode: 0 });
    expect(execution!.cases.map(({ name, verdict, usage }) => [name, verdict, usage === undefined])).toEqual([
      ['one', 'ACCEPTED', false],
      ['two', 'WRONG_ANSWER', false],
      ['four', 'VERDICT_UNSPECIFIED', true],
    ]);
    expect(events).toEqual(['runStarted', 'runStarted', 'result']);
  });

  test('groups are run in the order of what they depend on, earn points, and are skipped', async () => {
    const group = { points: 10, aggregation: 'ALL_OR_NOTHING', onFailure: 'STOP', dependsOn: [] } as const;
    const { execution, events } = await executor.run({
      isolation,
      source: double,
      isScored: true,
      groups: [
        { ...group, name: 'last', dependsOn: ['broken'] },
        { ...group, name: 'broken', dependsOn: ['first'] },
        { ...group, name: 'first', dependsOn: [] },
      ],
      cases: [
        { group: 'last', points: 10, stdin: '1', expectedOutput: '2' },
        { group: 'broken', points: 10, stdin: '3', expectedOutput: '6' },
        { group: 'broken', points: 10, stdin: '4', expectedOutput: '8' },
        { group: 'first', points: 10, stdin: '5', expectedOutput: '10' },
        { points: 3, stdin: '6', expectedOutput: '12' },
      ],
    });
    expect(execution).toMatchObject({ verdict: 'RUNTIME_ERROR', score: 13, maxScore: 33 });
    expect(execution!.groups).toEqual([
      { name: 'last', verdict: 'VERDICT_UNSPECIFIED', score: 0, maxScore: 10 },
      { name: 'broken', verdict: 'RUNTIME_ERROR', score: 0, maxScore: 10 },
      { name: 'first', verdict: 'ACCEPTED', score: 10, maxScore: 10 },
    ]);
    expect(execution!.cases.map(({ verdict, score = null, skipped }) => [verdict, score, skipped])).toEqual([
      ['VERDICT_UNSPECIFIED', null, true],
      ['RUNTIME_ERROR', 0, false],
      ['VERDICT_UNSPECIFIED', null, true],
      ['ACCEPTED', 10, false],
      ['ACCEPTED', 3, false],
    ]);
    expect(events).toEqual(['runStarted', 'runStarted', 'runStarted', 'result']);
  });

  test('limits and peaks are those of the case', async () => {
    const run = executor.run({
      isolation,
      source: `import time
mib, seconds = map(float, input().split())
b = bytearray(int(mib) << 20)
time.sleep(seconds)`,
      cases: [
        { stdin: '150 0' },
        { stdin: '150 0', limits: { memoryBytes: 128 * MiB } },
        { stdin: '0 60', limits: { wallTime: { seconds: 0, nanos: 300e6 } } },
        { stdin: '350 0', limits: { memoryBytes: 512 * MiB } },
        { stdin: '1 0.4' },
      ],
    });
    const { execution } = await run;
    expect(execution!.cases.map(({ verdict }) => verdict)).toEqual([
      'ACCEPTED',
      'MEMORY_EXCEEDED',
      'WALL_TIME_EXCEEDED',
      'ACCEPTED',
      'ACCEPTED',
    ]);
    const peaks = execution!.cases.map(({ usage }) => Math.round((usage?.peakMemoryBytes ?? 0) / MiB));
    expect(peaks[0]).toBeGreaterThan(150);
    expect(peaks[3]).toBeGreaterThan(350);
    // A cluster tells the peak of the pod's whole life.
    if (!NEEDS_ENGINE) expect(peaks[4]).toBeLessThan(64);
    expect(execution).toMatchObject({ verdict: 'MEMORY_EXCEEDED', usage: { oomKills: 1 } });
  });

  test('nothing of a case runs when the next one begins', async () => {
    const { execution } = await executor.run({
      isolation,
      source: `import os, time
if input() == "leave":
  if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
      time.sleep(60)
    os._exit(0)
  os.wait()
print(sum(open(f"/proc/{p}/cmdline").read().count("main.py") for p in os.listdir("/proc") if p.isdigit()))`,
      cases: [{ stdin: 'leave' }, { stdin: 'look' }],
    });
    expect(execution!.cases.map(({ verdict }) => verdict)).toEqual(['ACCEPTED', 'ACCEPTED']);
    expect(execution!.cases[1]!.stdout).toBe('1\n');
  });

  test('a case finds nothing of an earlier one: files, changes of its program, shared memory', async () => {
    const { execution } = await executor.run({
      isolation,
      source: `import ctypes, os
seen = [p for p in ("left", "/home/user/left", "/tmp/left", "/dev/shm/left", "lib/left") if os.path.lexists(p)]
print(seen, open("main.py").read().startswith("import"), open("lib/made").read(), os.stat("lib/made").st_mode & 0o777)
libc = ctypes.CDLL(None, use_errno=True)
print(libc.shmget(7, 4096, 0) >= 0, libc.semget(7, 1, 0) >= 0, libc.msgget(7, 0) >= 0)
for made in (libc.shmget(7, 4096, 0o1600), libc.semget(7, 1, 0o1600), libc.msgget(7, 0o1600)): assert made >= 0
for p in ("/home/user/left", "/tmp/left", "/dev/shm/left"): open(p, "w").close()
os.symlink("/etc", "left")
os.makedirs("lib/left/deep")
os.chmod("lib/left", 0)
os.remove("main.py")
open("lib/made", "w").write("changed")
${KUBECONFIG ? '' : 'os.chmod("/home/user", 0o500)'}`,
      compile: [
        'python3',
        '-c',
        `import os
os.mkdir("lib")
open("lib/made", "w").write("by compiling")
os.chmod("lib/made", 0o640)
for p in ("/home/user/left", "/tmp/left", "/dev/shm/left"): open(p, "w").close()`,
      ],
      cases: [{}, {}, {}],
    });
    for (const { stdout, stderr } of execution!.cases)
      expect([stdout, stderr]).toEqual(['[] True by compiling 416\nFalse False False\n', '']);
  });

  test('a case of a program that is not compiled finds its files as they came', async () => {
    const source = 'import os\nprint(os.listdir(), flush=True)\nos.remove("main.py"); open("left", "w").close()';
    const { execution } = await executor.run({ isolation, source, cases: [{}, {}] });
    expect(execution!.cases.map(({ stdout }) => stdout)).toEqual(["['main.py']\n", "['main.py']\n"]);
  });

  test('from the compiler to the program comes only what it made there, also without cases', async () => {
    const { stdout, stderr } = await executor.run({
      isolation,
      source: 'import os\nprint(sorted(os.listdir()), os.listdir(".."), os.listdir("/tmp"), os.listdir("/dev/shm"))',
      compile: ['sh', '-c', 'touch made ../left /tmp/left /dev/shm/left; sleep 60 &'],
    });
    expect([Buffer.from(stdout).toString(), Buffer.from(stderr).toString()]).toEqual([
      "['made', 'main.py'] ['program'] [] []\n",
      '',
    ]);
  });

  test('what is compiled is compiled once', async () => {
    const { execution, events } = await executor.run({
      isolation,
      source: 'print(open("made").read())',
      compile: ['python3', '-c', 'open("made", "a").write("x")'],
      cases: [{ expectedOutput: 'x' }, { expectedOutput: 'x' }],
    });
    expect(execution!.verdict).toBe('ACCEPTED');
    expect(events).toEqual(['compileStarted', 'runStarted', 'runStarted', 'result']);
  });

  test('what cannot be compiled is not tried', async () => {
    const { execution } = await executor.run({
      isolation,
      source: '',
      compile: ['python3', '-c', 'raise SystemExit("no")'],
      cases: [{ name: 'one' }, { name: 'two' }],
    });
    expect(execution).toMatchObject({
      verdict: 'COMPILE_ERROR',
      compile: { exitCode: 1, stderr: 'no\n' },
      cases: [
        { name: 'one', verdict: 'VERDICT_UNSPECIFIED' },
        { name: 'two', verdict: 'VERDICT_UNSPECIFIED' },
      ],
    });
  });

  test('the whole output is compared, and the first of it shown', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'print("é" * 20_000 + input())',
      cases: [
        { stdin: '1', expectedOutput: `${'é'.repeat(20_000)}1` },
        { stdin: '2', expectedOutput: `${'é'.repeat(20_000)}1` },
      ],
    });
    expect(execution!.cases.map(({ verdict }) => verdict)).toEqual(['ACCEPTED', 'WRONG_ANSWER']);
    for (const { stdout, stdoutTruncated, stderrTruncated } of execution!.cases)
      expect([stdout, stdoutTruncated, stderrTruncated]).toEqual(['é'.repeat(8 * 1024), true, false]);
  });

  test('a compiler is held to its own limits, and so is what it says', async () => {
    const { verdict, execution } = await executor.run({
      isolation,
      source: '',
      compile: ['python3', '-c', 'while True: print("x" * 1000)'],
      compileLimits: { outputBytes: 5_000 },
    });
    expect(verdict).toBe('COMPILE_ERROR');
    expect(execution!.compile).toMatchObject({ stdoutTruncated: true });
    expect(execution!.compile!.stdout.length).toBe(5_000);
  });
});

test('events say which case they are of', async () => {
  const spec = executionOf({ source: 'print(input())', cases: [{ stdin: 'a' }, { stdin: 'b' }] });
  const order: unknown[] = [];
  for await (const { event } of executor.executor.runExecution({ spec, streamOutput: true }, { caller: CALLER }))
    order.push(event?.$case === 'runStarted' ? event.value.caseIndex : event?.$case);
  expect(order).toEqual([0, 'stdout', 1, 'stdout', 'result']);
});
