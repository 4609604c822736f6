import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISOLATIONS } from './backend-under-test.ts';
import { startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4, cells: { floor: 1, ceiling: 2 } } });
});

afterAll(() => executor[Symbol.asyncDispose]());

// Accepts any permutation of the words that are expected.
const permutation = `import sys
given, output, expected = (open(name).read().split() for name in sys.argv[1:])
if sorted(output) != sorted(expected):
  print("not a permutation of", len(given), "words")
  sys.exit(1)
print("fine")`;

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  const judge = (source: string, more: object = {}) =>
    executor.run({
      isolation,
      source: 'print(*reversed(input().split()))',
      checker: { source, ...more },
      cases: [{ stdin: '1 2 3', expectedOutput: '1 2 3' }],
    });

  test('a checker decides, case by case, and says why', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'words = input().split()\nif "bad" in words: raise SystemExit(3)\nprint(*reversed(words))',
      checker: { source: permutation },
      cases: [
        { stdin: '1 2 3', expectedOutput: '1 2 3' },
        { stdin: '1 2', expectedOutput: '1 2 3' },
        { stdin: 'bad', expectedOutput: '' },
        { stdin: '4 5', expectedOutput: '5 4' },
      ],
    });
    expect(execution!.cases.map(({ verdict, message, exitCode }) => [verdict, message, exitCode])).toEqual([
      ['ACCEPTED', 'fine', 0],
      ['WRONG_ANSWER', 'not a permutation of 2 words', 0],
      ['RUNTIME_ERROR', '', 3],
      ['ACCEPTED', 'fine', 0],
    ]);
    expect(execution!.verdict).toBe('WRONG_ANSWER');
  });

  test('one that is compiled is compiled once', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'print(input())',
      checker: {
        source: 'print(open("made").read(), open("input").read(), open("output").read())',
        compile: ['python3', '-c', 'open("made", "a").write("x")'],
      },
      cases: [{ stdin: 'a longer one' }, { stdin: 'b' }],
    });
    expect(execution!.cases.map(({ verdict, message }) => [verdict, message])).toEqual([
      ['ACCEPTED', 'x a longer one a longer one'],
      ['ACCEPTED', 'x b b'],
    ]);
  });

  test.each([
    ['ends otherwise', 'print("oh"); raise SystemExit(2)', {}, 'the checker ended with exit code 2: oh'],
    ['crashes', 'import os; os.abort()', {}, 'the checker was ended by SIGABRT'],
    [
      'is slow',
      'import time; print("wait", flush=True); time.sleep(60)',
      { limits: { wallTime: { seconds: 1, nanos: 0 } } },
      'the checker took too long: wait',
    ],
    ['wants all memory', 'b = []\nwhile True: b.append(bytearray(10 ** 7))', {}, 'the checker ran out of memory'],
    [
      'cannot be compiled',
      '',
      { compile: ['python3', '-c', 'raise SystemExit("no")'] },
      'the checker does not compile: no',
    ],
  ])('one that %s is no verdict on the program', async (_, source, more, message) => {
    const { execution } = await judge(source, more);
    expect(execution).toMatchObject({
      verdict: 'INTERNAL_ERROR',
      message,
      exitCode: 0,
      cases: [{ verdict: 'INTERNAL_ERROR', message, stdout: '3 2 1\n' }],
    });
  });

  test('of what it prints the first KiB is told', async () => {
    const { execution } = await judge('print("x" * 5000)');
    expect(execution!.cases[0]).toMatchObject({ verdict: 'ACCEPTED', message: 'x'.repeat(1024) });
  });

  test('it runs apart from the program', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'open("/tmp/trace", "w").write("here"); print(1)',
      checker: { source: 'import os; print(os.path.exists("/tmp/trace"), os.path.exists("main.py"))' },
      cases: [{}],
    });
    expect(execution!.cases[0]).toMatchObject({ verdict: 'ACCEPTED', message: 'False False' });
  });

  test('it judges a run without cases too', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'print("3 1 2")',
      expectedOutput: '1 2 3',
      checker: { source: permutation },
    });
    expect(execution).toMatchObject({ verdict: 'ACCEPTED', stdout: '3 1 2\n', cases: [] });
  });
});

test('nothing is left of all these', async () => {
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
  await expect.poll(() => executor.metric('executor_leases{use="used"}')).toBe(0);
});
