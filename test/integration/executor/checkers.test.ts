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

  const judgeBy = (protocol: 'TESTLIB' | 'KATTIS', source: string, points = 0, more: object = {}) =>
    executor.run({
      isolation,
      source: 'print("out")',
      isScored: points > 0,
      checker: { source, protocol, ...more },
      cases: [{ stdin: 'in', expectedOutput: 'ans', points }],
    });
  const testlib = (exit: string) => `import sys
given = [open(name).read().strip() for name in sys.argv[1:]]
assert sys.argv[1:] == ["input", "output", "answer"] and given == ["in", "out", "ans"], given
${exit}`;
  const kattis = (exit: string) => `import sys
given = [open(name).read().strip() for name in sys.argv[1:3]] + [sys.stdin.read().strip()]
assert given == ["in", "ans", "out"], given
def leave(name, text): open(sys.argv[3] + name, "w").write(text)
${exit}`;
  const end = (words: string, code: number) => `print(${JSON.stringify(words)}, file=sys.stderr); sys.exit(${code})`;

  test.each<[string, number, object]>([
    [end('ok fine', 0), 0, { verdict: 'ACCEPTED', message: 'ok fine' }],
    [end('wrong answer 1 != 2', 1), 0, { verdict: 'WRONG_ANSWER', message: 'wrong answer 1 != 2' }],
    [end('presentation', 2), 0, { verdict: 'WRONG_ANSWER' }],
    [
      end('the jury is wrong', 3),
      0,
      { verdict: 'INTERNAL_ERROR', message: 'the checker ended with exit code 3: the jury is wrong' },
    ],
    [end('points 4.5 some', 7), 10, { verdict: 'WRONG_ANSWER', score: 4.5, message: 'points 4.5 some' }],
    [end('points 10', 7), 10, { verdict: 'ACCEPTED', score: 10 }],
    [end('points 11', 7), 10, { verdict: 'ACCEPTED', score: 10 }],
    [end('points 4', 7), 0, { verdict: 'WRONG_ANSWER', score: 4 }],
    [end('points many', 7), 10, { verdict: 'INTERNAL_ERROR', score: 0 }],
    [end('4 points', 7), 10, { verdict: 'INTERNAL_ERROR' }],
    ['sys.exit(42)', 0, { verdict: 'INTERNAL_ERROR', message: 'the checker ended with exit code 42' }],
  ])('TESTLIB: %s for %d points', async (exit, points, result) => {
    expect((await judgeBy('TESTLIB', testlib(exit), points)).execution!.cases[0]).toMatchObject(result);
  });

  test.each<[string, number, object]>([
    ['sys.exit(42)', 0, { verdict: 'ACCEPTED', message: '' }],
    ['leave("judgemessage.txt", "well "); sys.exit(42)', 0, { verdict: 'ACCEPTED', message: 'well' }],
    ['leave("judgemessage.txt", "no"); sys.exit(43)', 10, { verdict: 'WRONG_ANSWER', message: 'no', score: 0 }],
    [end('told', 43), 0, { verdict: 'WRONG_ANSWER', message: 'told' }],
    ['leave("score.txt", "2.5 "); sys.exit(42)', 10, { verdict: 'WRONG_ANSWER', score: 2.5 }],
    ['leave("score.txt", "10"); sys.exit(42)', 10, { verdict: 'ACCEPTED', score: 10 }],
    ['leave("score.txt", "2.5"); sys.exit(42)', 0, { verdict: 'ACCEPTED', score: 2.5 }],
    ['leave("score.txt", "2.5"); sys.exit(43)', 10, { verdict: 'WRONG_ANSWER', score: 0 }],
    [
      'leave("score.txt", "-1"); sys.exit(42)',
      10,
      { verdict: 'INTERNAL_ERROR', message: 'the checker gave points that are no number from 0 on' },
    ],
    ['leave("score.txt", ""); sys.exit(42)', 10, { verdict: 'INTERNAL_ERROR' }],
    ['import os; os.mkfifo(sys.argv[3] + "score.txt"); sys.exit(42)', 10, { verdict: 'ACCEPTED', score: 10 }],
    ['sys.exit(0)', 0, { verdict: 'INTERNAL_ERROR', message: 'the checker ended with exit code 0' }],
    ['sys.exit(1)', 0, { verdict: 'INTERNAL_ERROR', message: 'the checker ended with exit code 1' }],
  ])('KATTIS: %s for %d points', async (exit, points, result) => {
    expect((await judgeBy('KATTIS', kattis(exit), points)).execution!.cases[0]).toMatchObject(result);
  });

  test('a hostile checker: one that exits 42 without reading a large output', async () => {
    const { execution } = await executor.run({
      isolation,
      source: 'print("x" * 900_000)',
      checker: { source: 'import os; os._exit(42)', protocol: 'KATTIS' },
      cases: [{}, {}],
    });
    expect(execution!.cases).toMatchObject([{ verdict: 'ACCEPTED' }, { verdict: 'ACCEPTED' }]);
  });

  test.each(['DRYDOCK', 'TESTLIB', 'KATTIS'] as const)('hostile checkers of %s', async (protocol) => {
    const verdictOf = async (source: string) => {
      const { execution } = await executor.run({
        isolation,
        source: 'print(1)',
        checker: { source, protocol },
        cases: [{}],
      });
      return [execution!.verdict, execution!.message];
    };
    const right = protocol === 'KATTIS' ? 42 : 0;
    const [silent, flood, foreign, killer] = [
      await verdictOf(`import os; os._exit(${right})`),
      await verdictOf('import os\nfor _ in range(1 << 14): os.write(1, b"x" * 65536)'),
      await verdictOf('import os; os._exit(99)'),
      await verdictOf(
        'import os, signal\ntry: os.kill(os.getppid(), signal.SIGKILL)\nexcept OSError: pass\nos.kill(os.getpid(), signal.SIGKILL)',
      ),
    ];
    expect(silent).toEqual(['ACCEPTED', '']);
    expect(flood).toEqual(['INTERNAL_ERROR', `the checker wrote too much: ${'x'.repeat(1024)}`]);
    expect(foreign).toEqual(['INTERNAL_ERROR', 'the checker ended with exit code 99']);
    expect(killer[0]).toBe('INTERNAL_ERROR');
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
