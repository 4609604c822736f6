import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { ISOLATIONS, VERDICT_WITHIN_MS } from './backend-under-test.ts';
import { MiB, type Program, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4, cells: { floor: 1, ceiling: 1 } } });
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
const doubleFork = (child: string, parent: string) => fork(`os.setsid(); os.fork() or ${child}`, parent);
const die = (signal: string) => `import os, signal; os.kill(os.getpid(), signal.${signal})`;
const tooDeep = `import sys
sys.setrecursionlimit(10 ** 7)
def f(_): return sorted([1], key=f)
f(1)`;

type Row = [Verdict, string, Program, outcome?: Record<string, unknown>];

const ROWS: Row[] = [
  ['ACCEPTED', 'the expected output', { source: 'print(1)', expectedOutput: '1' }, { exitCode: 0, signal: '' }],
  ['ACCEPTED', 'success where nothing is expected', { source: 'print(2)' }, { exitCode: 0 }],
  ['ACCEPTED', 'leaving a process behind', { source: doubleFork('time.sleep(60)', 'print(1)') }, { stdout: '1\n' }],
  ['WRONG_ANSWER', 'other output', { source: 'print(2)', expectedOutput: '1' }, { exitCode: 0 }],
  ['WRONG_ANSWER', 'any output where none is expected', { source: 'print(2)', expectedOutput: '' }],
  ['RUNTIME_ERROR', 'a bad exit code', { source: 'raise SystemExit(3)', expectedOutput: '' }, { exitCode: 3 }],
  ['RUNTIME_ERROR', 'a bad exit code and the right output', { source: 'print(1); exit(1)', expectedOutput: '1' }],
  ['RUNTIME_ERROR', 'a crash', { source: 'import ctypes; ctypes.string_at(0)' }, { signal: 'SIGSEGV' }],
  ['RUNTIME_ERROR', 'an abort', { source: 'import os; os.abort()' }, { signal: 'SIGABRT' }],
  ['RUNTIME_ERROR', 'SIGFPE', { source: die('SIGFPE') }, { signal: 'SIGFPE' }],
  ['RUNTIME_ERROR', 'SIGKILL', { source: die('SIGKILL') }, { signal: 'SIGKILL' }],
  ['RUNTIME_ERROR', 'SIGTERM', { source: die('SIGTERM') }, { signal: 'SIGTERM' }],
  ['RUNTIME_ERROR', 'a stack too deep', { source: tooDeep, limits: { stackBytes: MiB } }, { signal: 'SIGSEGV' }],
  [
    'RUNTIME_ERROR',
    'a file too large',
    { source: 'open("x", "wb").write(bytes(2 ** 21))', limits: { fileBytes: MiB } },
    { stderr: expect.stringContaining('File too large') },
  ],
  [
    'RUNTIME_ERROR',
    'too many open files',
    { source: 'f = [open("/dev/null") for _ in range(40)]', limits: { openFiles: 32 } },
    { stderr: expect.stringContaining('Too many open files') },
  ],
  [
    'RUNTIME_ERROR',
    'a MemoryError of a program that used little',
    { source: 'bytearray(10 ** 15)' },
    { exitCode: 1, usage: { oomKills: 0 } },
  ],
  ['RUNTIME_ERROR', 'words about memory', { source: 'import sys; sys.exit("MemoryError")' }, { exitCode: 1 }],
  ['MEMORY_EXCEEDED', 'taking all memory', { source: 'b = []\nwhile True: b.append(bytearray(10 ** 7))' }],
  ['MEMORY_EXCEEDED', 'a child that takes it all', { source: fork('bytearray(300 << 20)', 'os.wait(); print(1)') }],
  [
    'WALL_TIME_EXCEEDED',
    'sleeping',
    { source: 'import time; print("before", flush=True); time.sleep(60)', limits: { wallTime: second } },
    { stdout: 'before\n' },
  ],
  [
    'WALL_TIME_EXCEEDED',
    'children that leave the session',
    { source: doubleFork('time.sleep(60)', 'time.sleep(60)'), limits: { wallTime: second } },
  ],
  [
    'WALL_TIME_EXCEEDED',
    'stopping itself and ignoring what it can',
    {
      source: 'import os, signal\nsignal.signal(15, signal.SIG_IGN)\nos.kill(os.getpid(), 19)',
      limits: { wallTime: second },
    },
  ],
  [
    'WALL_TIME_EXCEEDED',
    'a fork bomb',
    { source: 'import os\nwhile True:\n  try: os.fork()\n  except OSError: pass', limits: { wallTime: second } },
  ],
  ['CPU_TIME_EXCEEDED', 'a loop', { source: 'while True: pass', limits: { cpuTime: second } }],
  [
    'CPU_TIME_EXCEEDED',
    'loops in threads',
    {
      source: `import hashlib, threading
def work():
  while True: hashlib.sha256(bytes(10 ** 6))
for _ in range(4): threading.Thread(target=work).start()`,
      limits: { cpuTime: second },
    },
  ],
  [
    'CPU_TIME_EXCEEDED',
    'loops in children',
    { source: 'import os\nfor _ in range(4): os.fork()\nwhile True: pass', limits: { cpuTime: second } },
  ],
  [
    'CPU_TIME_EXCEEDED',
    'a loop in a grandchild that left the session',
    {
      source: doubleFork('exec("while True: pass")', 'time.sleep(60)'),
      limits: { cpuTime: second },
    },
  ],
  [
    'OUTPUT_EXCEEDED',
    'a flood',
    { source: 'while True: print("x" * 1000)', limits: { outputBytes: 10_000 } },
    { stdout: 'x'.repeat(1000).concat('\n').repeat(10).slice(0, 10_000), stdoutTruncated: true },
  ],
  [
    'OUTPUT_EXCEEDED',
    'a flood on the other stream',
    { source: 'import sys\nwhile True: print("x" * 1000, file=sys.stderr)', limits: { outputBytes: 10_000 } },
    { stderrTruncated: true, stdoutTruncated: false },
  ],
  [
    'OUTPUT_EXCEEDED',
    'text that is cut within a character',
    { source: 'import sys; sys.stdout.write("x" + "é" * 2000)', limits: { outputBytes: 1000 } },
    { stdout: `x${'é'.repeat(499)}`, stdoutTruncated: true, stdoutInvalidUtf8: false },
  ],
  [
    'COMPILE_ERROR',
    'a compiler that refuses',
    { source: '', compile: ['python3', '-c', 'print("out"); raise SystemExit("no")'] },
    { compile: { exitCode: 1, stdout: 'out\n', stderr: 'no\n' }, stdout: '' },
  ],
];

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  test.each(ROWS)('%s for %s, and the next one is fine', async (expected, _, program, outcome = {}) => {
    const started = performance.now();
    const { verdict, execution } = await executor.run({ isolation, ...program });
    expect({ verdict, isolation: execution?.isolation }, JSON.stringify(execution)).toEqual({
      verdict: expected,
      isolation,
    });
    expect(execution).toMatchObject(outcome);
    expect(performance.now() - started).toBeLessThan(VERDICT_WITHIN_MS);
    const next = await executor.run({ isolation, source: 'print(1)', expectedOutput: '1' });
    expect(next.verdict).toBe('ACCEPTED');
  });

  test('killing everything it can is a program’s own end, and the next one is fine', async () => {
    const run = await executor.run({ isolation, source: KILLS_ALL });
    expect([run.verdict, run.execution!.exitCode]).toEqual(['RUNTIME_ERROR', 3]);
    expect((await executor.run({ isolation, source: 'print(1)', expectedOutput: '1' })).verdict).toBe('ACCEPTED');
  });

  test('times are told to the millisecond, and are those of the program', async () => {
    const { execution } = await executor.run({
      isolation,
      source: `import time
began = time.perf_counter()
while time.process_time() < 0.3: pass
time.sleep(0.4)
print(time.process_time() * 1000, (time.perf_counter() - began) * 1000)`,
    });
    const [ownCpu, ownWall] = execution!.stdout.split(' ').map(Number) as [number, number];
    const cpu = millisecondsOf(execution!.usage!.cpuTime!);
    const wall = millisecondsOf(execution!.usage!.wallTime!);
    // What the interpreter takes to start and to end is not in the program's own figures.
    expect(cpu).toBeGreaterThanOrEqual(ownCpu);
    expect(cpu).toBeLessThan(ownCpu + 50);
    expect(wall).toBeGreaterThanOrEqual(ownWall);
    expect(wall).toBeLessThan(ownWall + 300);
    expect(cpu % 1).not.toBe(0);
  });
});

test('nothing is left of all these', async () => {
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  expect(await executor.metric('executor_executions ')).toBe(0);
});
