import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { textOf } from '../../support/api.ts';
import { NEEDS_ENGINE, VERDICT_WITHIN_MS } from './backend-under-test.ts';
import { CALLER, executionOf, MiB, type Program, startExecutor, type TestExecutor } from './fixture.ts';

// Each waits 5 s at most for its turn, and a pod takes seconds: there as many as run at one time.
const AT_ONCE = NEEDS_ENGINE ? 4 : 12;

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4 } });
});

afterAll(() => executor[Symbol.asyncDispose]());

/** Itself it does not reach. On a cluster there is the inner end of the stream that leads to it. */
const KILLS_ALL = `import os, time
try: os.kill(-1, 9)
except ProcessLookupError: pass
time.sleep(1)
raise SystemExit(3)`;

const second = { seconds: 1, nanos: 0 };
const fork = (child: string, parent: string) =>
  `import os, sys, time\nif os.fork() == 0:\n  ${child}\nelse:\n  ${parent}`;

test('a program with arguments, input and files', async () => {
  const { verdict, execution, stdout, events } = await executor.run({
    source: 'import sys, lib.more; print(sys.stdin.read() + lib.more.word); print("oh", file=sys.stderr)',
    files: [
      {
        name: 'main.py',
        content: {
          $case: 'text',
          value: 'import sys, lib.more; print(sys.stdin.read() + lib.more.word); print("oh", file=sys.stderr)',
        },
      },
      {
        name: 'lib/more.py',
        content: { $case: 'data', value: Buffer.from('word = "!"') },
      },
    ],
    stdin: Buffer.from('ünï'),
    expectedOutput: 'ünï!',
  });
  expect(verdict).toBe('ACCEPTED');
  expect(execution).toMatchObject({
    exitCode: 0,
    signal: '',
    stdout: 'ünï!\n',
    stderr: 'oh\n',
    stdoutInvalidUtf8: false,
  });
  expect(Buffer.from(stdout).toString()).toBe('ünï!\n');
  expect(events).toEqual(['runStarted', 'result']);
  const { usage, startTime, finishTime } = execution!;
  expect(usage?.peakMemoryBytes).toBeGreaterThan(MiB);
  expect(usage?.peakMemoryBytes).toBeLessThan(64 * MiB);
  expect(finishTime!.getTime()).toBeGreaterThanOrEqual(startTime!.getTime());
});

test('ten MiB of input', async () => {
  const { execution } = await executor.run({
    source: 'import sys; print(len(sys.stdin.buffer.read()))',
    stdin: Buffer.alloc(10 * MiB, 'x'),
  });
  expect(execution?.stdout).toBe(`${10 * MiB}\n`);
});

test('input that a program does not read is no harm', async () => {
  const { verdict } = await executor.run({
    source: 'print(1)',
    stdin: Buffer.alloc(10 * MiB),
  });
  expect(verdict).toBe('ACCEPTED');
});

describe.each<[Verdict, string, Program]>([
  ['WRONG_ANSWER', 'other output', { source: 'print(2)', expectedOutput: '1' }],
  ['RUNTIME_ERROR', 'a bad exit code', { source: 'raise SystemExit(3)' }],
  ['RUNTIME_ERROR', 'a signal', { source: 'import os; os.abort()' }],
  ['RUNTIME_ERROR', 'an allocation that its own language refuses', { source: 'raise MemoryError' }],
  ['WALL_TIME_EXCEEDED', 'sleeping', { source: 'import time; time.sleep(60)', limits: { wallTime: second } }],
  [
    'WALL_TIME_EXCEEDED',
    'children that leave the session',
    {
      source: fork('os.setsid(); os.fork() or time.sleep(60)', 'time.sleep(60)'),
      limits: { wallTime: second },
    },
  ],
  [
    'WALL_TIME_EXCEEDED',
    'stopping itself and ignoring what it can',
    {
      source: 'import os, signal\nsignal.signal(15, signal.SIG_IGN)\nos.kill(os.getpid(), 19)',
      limits: { wallTime: second },
    },
  ],
  ['CPU_TIME_EXCEEDED', 'a loop', { source: 'while True: pass', limits: { cpuTime: second } }],
  [
    'CPU_TIME_EXCEEDED',
    'loops in many children',
    {
      source: 'import os\nfor _ in range(4): os.fork()\nwhile True: pass',
      limits: { cpuTime: second },
    },
  ],
  ['MEMORY_EXCEEDED', 'taking all memory', { source: 'b = []\nwhile True: b.append(bytearray(10 ** 7))' }],
  [
    'MEMORY_EXCEEDED',
    'a child that takes all memory',
    {
      source: fork('b = bytearray(300 * 2 ** 20)', 'os.wait(); print("fine")'),
    },
  ],
  [
    'OUTPUT_EXCEEDED',
    'a flood',
    {
      source: 'while True: print("x" * 1000)',
      limits: { outputBytes: 10_000 },
    },
  ],
  [
    'OUTPUT_EXCEEDED',
    'a flood on the other stream',
    { source: 'import sys\nwhile True: print("x" * 1000, file=sys.stderr)' },
  ],
  [
    'WALL_TIME_EXCEEDED',
    'a fork bomb',
    {
      source: 'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass',
      limits: { wallTime: second },
    },
  ],
])('%s', (expected, what, program) => {
  test(`for ${what}, and the next one is fine`, async () => {
    const started = performance.now();
    const { verdict, execution, stdout } = await executor.run(program);
    expect(verdict).toBe(expected);
    expect(performance.now() - started).toBeLessThan(VERDICT_WITHIN_MS);
    if (expected === 'OUTPUT_EXCEEDED') {
      expect(Math.max(stdout.length, execution!.stderr.length)).toBe(program.limits?.outputBytes ?? MiB);
      expect(execution!.stdoutTruncated || execution!.stderrTruncated).toBe(true);
    }
    expect((await executor.run({ source: 'print(1)', expectedOutput: '1' })).verdict).toBe('ACCEPTED');
  });
});

test('what a program wrote before its limit is there', async () => {
  const { execution } = await executor.run({
    source: 'import time; print("before", flush=True); time.sleep(60)',
    limits: { wallTime: second },
  });
  expect(execution?.stdout).toBe('before\n');
});

test('output that is not UTF-8 is replaced and flagged, its bytes kept', async () => {
  const { execution, stdout } = await executor.run({
    source: 'import sys; sys.stdout.buffer.write(b"a\\xffb")',
  });
  expect(execution).toMatchObject({
    stdout: 'a�b',
    stdoutInvalidUtf8: true,
    stderrInvalidUtf8: false,
  });
  expect([...stdout]).toEqual([0x61, 0xff, 0x62]);
});

test('output comes as it is made', async () => {
  const spec = executionOf({
    source: 'import time\nfor i in range(3): print("ä", i, flush=True); time.sleep(0.1)',
  });
  const pieces: string[] = [];
  const order: string[] = [];
  for await (const { event } of executor.executor.runExecution({ spec, streamOutput: true }, { caller: CALLER })) {
    order.push(event!.$case);
    if (event?.$case === 'stdout') pieces.push(textOf(event.value));
  }
  expect(pieces.join('')).toBe('ä 0\nä 1\nä 2\n');
  expect([order[0], order.at(-1)]).toEqual(['runStarted', 'result']);
  expect(pieces.length).toBeGreaterThan(1);
});

describe('a compile step', () => {
  test('makes what is run, with its own output and usage', async () => {
    const { verdict, execution, events } = await executor.run({
      source: 'print("made")',
      compile: [
        'python3',
        '-c',
        'import shutil; print("compiling"); b = bytearray(100 * 2**20); shutil.copy("main.py", "main2.py")',
      ],
      run: { ...executionOf({ source: '' }).run!, command: ['python3', 'main2.py'] },
    });
    expect(verdict).toBe('ACCEPTED');
    expect(events).toEqual(['compileStarted', 'runStarted', 'result']);
    expect(execution?.compile).toMatchObject({
      exitCode: 0,
      stdout: 'compiling\n',
    });
    expect(execution?.compile?.usage?.peakMemoryBytes).toBeGreaterThan(100 * MiB);
    // A pod's is that of its whole life.
    if (!NEEDS_ENGINE) expect(execution?.usage?.peakMemoryBytes).toBeLessThan(64 * MiB);
  });

  test('that fails is the verdict, and nothing is run', async () => {
    const { verdict, execution, events } = await executor.run({
      source: '',
      compile: ['python3', '-c', 'raise SystemExit("no")'],
    });
    expect({ verdict, events }).toEqual({
      verdict: 'COMPILE_ERROR',
      events: ['compileStarted', 'result'],
    });
    expect(execution).toMatchObject({
      compile: { exitCode: 1, stderr: 'no\n' },
      stdout: '',
    });
    expect(execution?.exitCode).toBeUndefined();
  });

  test('leaves nothing running', async () => {
    const { execution } = await executor.run({
      source:
        'import os; print(sum("python" in open(f"/proc/{p}/cmdline").read() for p in os.listdir("/proc") if p.isdigit()))',
      compile: ['python3', '-c', fork('os.setsid(); time.sleep(60)', 'pass')],
    });
    expect(execution?.stdout).toBe('1\n');
  });
});

test('a program that does not exist exits as a shell would say', async () => {
  const run = {
    ...executionOf({ source: '' }).run!,
    command: ['no-such-program'],
  };
  const { verdict, execution } = await executor.run({ source: '', run });
  expect({ verdict, exitCode: execution?.exitCode }).toEqual({
    verdict: 'RUNTIME_ERROR',
    exitCode: 127,
  });
  expect(execution?.stderr).toContain('no-such-program');
});

test('files that do not fit are refused', async () => {
  const files = Array.from({ length: 5 }, (_, i) => ({
    name: `f${i}`,
    content: { $case: 'data' as const, value: Buffer.alloc(8 * MiB) },
  }));
  const limits = { diskBytes: 32 * MiB };
  await expect(executor.run({ source: '', files, limits })).rejects.toMatchObject({
    reason: 'DISK_FULL',
  });
});

test('ending the call ends it all', async () => {
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  const leave = new AbortController();
  const spec = executionOf({
    source: 'import time; print(1, flush=True); time.sleep(60)',
  });
  const events = executor.executor.runExecution({ spec, streamOutput: true }, { caller: CALLER, signal: leave.signal });
  await expect(async () => {
    for await (const { event } of events) if (event?.$case === 'stdout') leave.abort();
  }).rejects.toThrow();
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
});

test('killing everything it can is a program’s own end', async () => {
  const run = await executor.run({ source: KILLS_ALL });
  expect(run.verdict).toBe('RUNTIME_ERROR');
  expect((await executor.run({ source: 'print(1)', expectedOutput: '1' })).verdict).toBe('ACCEPTED');
});

test('many at once all come to their own verdict', async () => {
  const results = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, i) => executor.run({ source: `print(${i})`, expectedOutput: String(i) })),
  );
  expect(results.map(({ verdict }) => verdict)).toEqual(Array.from({ length: AT_ONCE }, () => 'ACCEPTED'));
});

test('no sandbox is left of all these', async () => {
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
});
