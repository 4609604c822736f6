import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISOLATIONS } from './backend-under-test.ts';
import { type Program, python, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4, cells: { floor: 2, ceiling: 4 } } });
});

afterAll(() => executor[Symbol.asyncDispose]());

const second = { seconds: 1, nanos: 0 };

// Asks for the square of each number of its input, and tells by its exit code how that went.
const ASKS = `import sys
def end(code, words):
  print(words, file=sys.stderr); sys.exit(code)
for number in open(sys.argv[1]).read().split():
  print(number, flush=True)
  answer = sys.stdin.readline()
  if answer.strip() != str(int(number) ** 2): end(WRONG, f"for {number} came {answer.strip()!r}")
print("end", flush=True)
end(RIGHT, "well done")`;
const asks = (right: number, wrong: number) => ASKS.replace('RIGHT', `${right}`).replace('WRONG', `${wrong}`);
const SQUARES = `while (line := input()) != "end":
  print(int(line) ** 2, flush=True)`;

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  const talk = (fields: Partial<Program>) =>
    executor.run({
      isolation,
      source: SQUARES,
      interactor: { source: asks(0, 1) },
      cases: [{ stdin: '3 4 5' }],
      ...fields,
    });
  const outcome = async (fields: Partial<Program>) => {
    const { execution } = await talk(fields);
    return [execution!.cases[0]!.verdict, execution!.cases[0]!.message];
  };

  test.each([
    ['DRYDOCK', 0, 1],
    ['TESTLIB', 0, 1],
    ['KATTIS', 42, 43],
  ] as const)('by %s two programs talk, case by case, and the interactor judges', async (protocol, right, wrong) => {
    const { execution, transcript } = await talk({
      source: `${SQUARES}\n  if line == "9": print(0, flush=True)`,
      interactor: { source: asks(right, wrong), protocol },
      cases: [{ stdin: '3 4' }, { stdin: '9 2' }, { stdin: '5' }],
      keepTranscript: true,
    });
    expect(execution!.cases.map(({ verdict, message }) => [verdict, message])).toEqual([
      ['ACCEPTED', 'well done'],
      ['WRONG_ANSWER', "for 2 came '0'"],
      ['ACCEPTED', 'well done'],
    ]);
    expect(execution).toMatchObject({
      verdict: 'WRONG_ANSWER',
      cases: [{ exitCode: 0, stdout: '9\n16\n' }, {}, { exitCode: 0 }],
    });
    expect(Buffer.from(transcript).toString()).toMatch(/^> 9\n< 81\n/);
  });

  test('one that is compiled is compiled once, and feedback is read', async () => {
    const source = `import sys
print(open("made").read(), flush=True)
got = sys.stdin.readline().strip()
open(sys.argv[3] + "judgemessage.txt", "w").write(got)
open(sys.argv[3] + "score.txt", "w").write("4")
sys.exit(42)`;
    const { execution } = await talk({
      source: 'print("got", input())',
      interactor: { source, protocol: 'KATTIS', compile: python('open("made", "a").write("x")') },
      cases: [{ points: 10 }, { points: 4 }],
      isScored: true,
    });
    expect(execution!.cases.map(({ verdict, message, score }) => [verdict, message, score])).toEqual([
      ['WRONG_ANSWER', 'got x', 4],
      ['ACCEPTED', 'got x', 4],
    ]);
  });

  test('the last words of either arrive, however late they are read', async () => {
    const source = 'for n in range(50_000): print(n)';
    const reads = 'import sys, time; time.sleep(0.5); sys.exit(len(sys.stdin.read().split()) != 50_000)';
    expect(await outcome({ source, interactor: { source: reads } })).toEqual(['ACCEPTED', '']);
    expect(await outcome({ source: reads, interactor: { source } })).toEqual(['ACCEPTED', '']);
  });

  const WRONG_FIRST = 'import sys; print("no", file=sys.stderr); sys.exit(1)';
  test.each([
    ['crashes', 'import os, sys\nsys.stdin.read()\nos.abort()'],
    ['loops', 'while True: pass'],
    ['writes on', 'import sys\nsys.stdin.read()\nwhile True: print("x" * 1000, flush=True)'],
    ['ends with an error', 'input()'],
  ])('wrong is wrong, although the program then %s', async (_, source) => {
    expect(await outcome({ source, interactor: { source: WRONG_FIRST } })).toEqual(['WRONG_ANSWER', 'no']);
  });

  test('a program that fails is told so, although the interactor waits for it', async () => {
    const { execution } = await talk({ source: 'input(); raise SystemExit(3)' });
    expect(execution!.cases[0]).toMatchObject({ verdict: 'RUNTIME_ERROR', exitCode: 3, message: '' });
  });

  test('accepted, and the program then fails: that is its verdict', async () => {
    const accepts = { source: 'import sys; sys.exit(0)' };
    expect(await outcome({ source: 'import sys; sys.stdin.read(); sys.exit(3)', interactor: accepts })).toEqual([
      'RUNTIME_ERROR',
      '',
    ]);
    // Enough wall time for it to use its CPU time on a busy host.
    const limits = { cpuTime: { seconds: 0, nanos: 300e6 } };
    expect(await outcome({ source: 'while True: pass', interactor: accepts, limits })).toEqual([
      'CPU_TIME_EXCEEDED',
      '',
    ]);
  });

  test('a dead-lock ends by wall time, as the program’s', async () => {
    const interactor = { source: 'import sys; sys.stdin.readline()', limits: { wallTime: second, cpuTime: second } };
    const started = performance.now();
    expect(await outcome({ source: 'input()', interactor, limits: { wallTime: second } })).toEqual([
      'WALL_TIME_EXCEEDED',
      '',
    ]);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test('waiting for the interactor is not the program’s time', async () => {
    const interactor = {
      source: 'import sys, time; time.sleep(1.5); print(1, flush=True); sys.stdin.readline(); sys.exit(0)',
    };
    const { execution } = await talk({
      source: 'print(input())',
      interactor,
      limits: { wallTime: second, cpuTime: second },
    });
    expect(execution!.verdict).toBe('ACCEPTED');
  });

  test.each<[string, string, string, string | RegExp]>([
    [
      'never reads',
      'import time; time.sleep(1); raise SystemExit(1)',
      'for _ in range(9): print("x" * 100_000, flush=True)',
      'WRONG_ANSWER',
    ],
    ['exits at once', 'import os; os._exit(0)', 'print("x" * 500_000)', 'ACCEPTED'],
    ['floods', 'import os\nwhile True: os.write(1, b"x" * 65536)', 'import time; time.sleep(60)', 'INTERNAL_ERROR'],
    [
      'floods what reads',
      'import os\nwhile True: os.write(1, b"x" * 65536)',
      'import sys\nwhile sys.stdin.buffer.read(65536): pass\nimport time; time.sleep(60)',
      'INTERNAL_ERROR',
    ],
    ['ends with a code outside its protocol', 'raise SystemExit(42)', 'input()', 'INTERNAL_ERROR'],
    [
      'kills its parent',
      'import os, signal\ntry: os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError: pass\nos.kill(os.getpid(), signal.SIGKILL)',
      'input()',
      'INTERNAL_ERROR',
    ],
    ['wants all memory', 'b = []\nwhile True: b.append(bytearray(10 ** 7))', 'input()', 'INTERNAL_ERROR'],
  ])('a hostile interactor: one that %s', async (_, source, program, verdict) => {
    const limits = { wallTime: { seconds: 3, nanos: 0 }, cpuTime: { seconds: 3, nanos: 0 } };
    const { execution } = await talk({ source: program, interactor: { source, limits }, cases: [{}, {}] });
    expect(execution!.cases.map(({ verdict }) => verdict)).toEqual([verdict, verdict]);
    // The next execution finds the executor as it was.
    expect(await outcome({})).toEqual(['ACCEPTED', 'well done']);
  });

  test('both flood each other and neither reads', async () => {
    const flood = 'import os\nwhile True: os.write(1, b"x" * 65536)';
    const limits = { wallTime: { seconds: 3, nanos: 0 }, cpuTime: { seconds: 3, nanos: 0 } };
    const [verdict] = await outcome({ source: flood, interactor: { source: flood, limits }, limits });
    expect(['OUTPUT_EXCEEDED', 'INTERNAL_ERROR']).toContain(verdict);
  });

  test('the two cannot reach each other but by the talk', async () => {
    const source =
      'import os; open("/tmp/mine", "w").write("x"); print(os.path.exists("check.py"), flush=True); input()';
    const interactor = {
      source:
        'import os, sys; got = sys.stdin.readline().strip(); print(got, os.path.exists("/tmp/mine"), os.path.exists("main.py"), file=sys.stderr); print(flush=True)',
    };
    expect(await outcome({ source, interactor })).toEqual(['ACCEPTED', 'False False False']);
  });

  test('cases of a talk run side by side', async () => {
    const { execution } = await talk({ parallelism: 2, cases: [{ stdin: '1' }, { stdin: '2' }, { stdin: '3' }] });
    expect(execution!.cases.map(({ verdict }) => verdict)).toEqual(['ACCEPTED', 'ACCEPTED', 'ACCEPTED']);
  });

  test('without test cases there is one talk', async () => {
    const fields = { isolation, source: SQUARES, stdin: Buffer.from('7') };
    const { execution } = await executor.run({ ...fields, interactor: { source: asks(0, 1) } });
    expect(execution).toMatchObject({ verdict: 'ACCEPTED', stdout: '49\n', message: 'well done', cases: [] });
  });
});

test('of two sandboxes an execution gets both or none', async () => {
  await using one = await startExecutor({
    environment: { EXECUTOR_MAX_SANDBOXES: '1' },
    pool: { floor: 0, ceiling: 0 },
  });
  const talk = { source: SQUARES, interactor: { source: asks(0, 1) }, cases: [{ stdin: '1' }] };
  await expect(one.run({ ...talk, isolation: 'SANDBOX' })).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  await expect.poll(() => one.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  expect((await one.run({ source: 'print(1)', isolation: 'SANDBOX' })).verdict).toBe('ACCEPTED');
});

test('nothing is left of all these', async () => {
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  await expect.poll(() => executor.metric('executor_leases{use="used"}'), { timeout: 10_000 }).toBe(0);
});
