import { describe, expect, test } from 'vitest';
import { Checker, Interactor, RunCodeRequest, TestCase } from '#proto/drydock/v1/execution.ts';
import { catalog, file, limits, refusal, seconds } from '../validation-fixture.ts';
import { checkExecution } from './validation.ts';

const MiB = 1024 * 1024;

const execution = (request: Partial<RunCodeRequest>) =>
  checkExecution(RunCodeRequest.create({ language: 'python', source: 'print(1)', ...request }), catalog);

describe('an execution is refused', () => {
  test.each<[string, Partial<RunCodeRequest>, string[]]>([
    ['without language or command', { language: '' }, ['language']],
    ['with a command but no template', { language: '', command: ['true'] }, ['language']],
    ['with a template but no command', { language: '', template: 'python' }, ['language']],
    ['with both language and command', { template: 'python', command: ['true'] }, ['language']],
    ['without a program', { source: '' }, ['source']],
    ['with a program twice', { files: [file('a.py')] }, ['source']],
    ['with a file without content', { source: '', files: [{ name: 'main.py', content: undefined }] }, ['files[0]']],
    ['with a file without a name', { source: '', files: [file('')] }, ['files[0].name']],
    ['with an absolute name', { source: '', files: [file('/etc/passwd')] }, ['files[0].name']],
    ['with a name that climbs', { source: '', files: [file('a/../../b')] }, ['files[0].name']],
    ['with a name that is the parent', { source: '', files: [file('..')] }, ['files[0].name']],
    ['with a name that looks like an option', { source: '', files: [file('-rf')] }, ['files[0].name']],
    ['with a name that ends in a slash', { source: '', files: [file('a/')] }, ['files[0].name']],
    ['with a NUL in a name', { source: '', files: [file('a\0.py')] }, ['files[0].name']],
    ['with a long name', { source: '', files: [file('é'.repeat(128))] }, ['files[0].name']],
    ['with a name twice', { source: '', files: [file('a.py'), file('a.py')] }, ['files[1].name']],
    ['with a file inside of a file', { source: '', files: [file('a/b/c.py'), file('a')] }, ['files[0].name']],
    ['with too many files', { source: '', files: Array.from({ length: 1001 }, (_, i) => file(`${i}`)) }, ['files']],
    ['with too large a program', { source: 'x'.repeat(10 * MiB + 1) }, ['source']],
    [
      'with files that are too large together',
      { source: '', files: [file('a.py', 'x'.repeat(6 * MiB)), file('b', 'x'.repeat(6 * MiB))] },
      ['files'],
    ],
    [
      'with an entry point that is not there',
      { source: '', files: [file('a.py')], entrypoint: 'b.py' },
      ['entrypoint'],
    ],
    ['with an entry point that climbs', { entrypoint: '../x.py' }, ['entrypoint']],
    ['with too many arguments', { arguments: Array(1025).fill('') }, ['arguments']],
    ['with too large arguments', { arguments: ['x'.repeat(128 * 1024)] }, ['arguments']],
    ['with a NUL in an argument', { arguments: ['\0'] }, ['arguments']],
    ['with too many compiler options', { compilerOptions: Array(65).fill('-x') }, ['compilerOptions']],
    ['with too large an input', { stdin: 'x'.repeat(10 * MiB + 1) }, ['stdin']],
    ['with a bad variable', { environment: { '1': 'x' } }, ['environment']],
    ['with a tolerance of nothing', { floatTolerance: 0 }, ['floatTolerance']],
    ['with a tolerance that is not a number', { floatTolerance: Number.NaN }, ['floatTolerance']],
    ['with a tolerance above 1', { floatTolerance: 1.1 }, ['floatTolerance']],
    [
      'with no time',
      { limits: limits({ wallTime: seconds(0), cpuTime: seconds(-1) }) },
      ['limits.wallTime', 'limits.cpuTime'],
    ],
    [
      'with too much time',
      { limits: limits({ wallTime: seconds(301), cpuTime: seconds(300, 1) }) },
      ['limits.wallTime', 'limits.cpuTime'],
    ],
    ['with too much output', { limits: limits({ outputBytes: 4 * MiB + 1 }) }, ['limits.outputBytes']],
    [
      'with memory for the compiler alone',
      { compileLimits: limits({ memoryBytes: 512 * MiB }) },
      ['compileLimits.memoryBytes'],
    ],
  ])('%s', (_, request, fields) => {
    expect(refusal(() => execution(request))).toEqual(['INVALID_FIELD', fields]);
  });

  test('with a language or a template that is not there', () => {
    expect(refusal(() => execution({ language: 'klingon' }))[0]).toBe('LANGUAGE_NOT_FOUND');
    expect(refusal(() => execution({ language: '', source: '', template: 'nope', command: ['true'] }))[0]).toBe(
      'TEMPLATE_NOT_FOUND',
    );
  });

  test('in an answer that fits into trailers, however much is wrong', () => {
    const files = Array.from({ length: 1000 }, () => file('/'));
    const [reason, fields] = refusal(() =>
      execution({ source: '', files, environment: { ['\0'.repeat(10_000)]: '\0' } }),
    );
    expect(reason).toBe('INVALID_FIELD');
    expect(fields).toHaveLength(20);
    expect(JSON.stringify(fields).length).toBeLessThan(3_000);
  });
});

describe('what is accepted is complete', () => {
  test('a program in one file', () => {
    expect(execution({})).toMatchObject({
      language: 'python',
      template: { id: 'python' },
      // The run, the check of its syntax and the margin.
      lifetimeMs: 100_000,
      spec: {
        files: [{ name: 'main.py' }],
        compile: undefined,
        run: { command: ['/usr/bin/python3', 'main.py'] },
        comparison: 'TRAILING_SPACE',
      },
    });
  });

  test('a compiled program has limits for its compiler', () => {
    const { spec, sandboxLimits, lifetimeMs } = execution({
      language: 'c',
      source: 'int main(){}',
      compilerOptions: ['-Wall'],
      limits: limits({ wallTime: seconds(2) }),
      compileLimits: limits({ wallTime: seconds(5) }),
    });
    expect(spec.compile).toMatchObject({
      command: expect.arrayContaining(['gcc', '-Wall']),
      limits: { wallTime: seconds(5), cpuTime: seconds(30) },
    });
    expect(spec.run).toMatchObject({ limits: { wallTime: seconds(2), cpuTime: seconds(10) } });
    expect(sandboxLimits.memoryBytes).toBe(1024 * MiB);
    expect(lifetimeMs).toBe(67_000);
  });

  test('a syntax check has the memory, processes and CPUs of the run, and the times of a compiler', () => {
    const { spec, lifetimeMs } = execution({
      limits: limits({ memoryBytes: 128 * MiB, processes: 20, cpus: 0.25, wallTime: seconds(2), cpuTime: seconds(1) }),
      compileLimits: limits({ wallTime: seconds(5), cpuTime: seconds(4) }),
    });
    expect(spec.check).toMatchObject({
      command: ['/usr/bin/python3', '-I', '-m', 'py_compile', 'main.py'],
      limits: { memoryBytes: 128 * MiB, processes: 20, cpus: 0.25, wallTime: seconds(5), cpuTime: seconds(4) },
    });
    expect(lifetimeMs).toBe(67_000);
  });

  test('a command with files, one of them empty', () => {
    const request = {
      language: '',
      source: '',
      template: 'python',
      command: ['cat', 'a.txt'],
      arguments: ['b'],
      files: [file('a.txt', '')],
    };
    expect(execution(request).spec.run?.command).toEqual(['cat', 'a.txt', 'b']);
  });
});

describe('test cases', () => {
  const cases = (...testCases: Partial<TestCase>[]) => ({ testCases: testCases.map((each) => TestCase.create(each)) });

  test('run one after the other, each with its own input, output and limits over those of the request', () => {
    const { spec, lifetimeMs } = execution({
      ...cases(
        {
          name: 'a',
          stdin: '1',
          expectedOutput: '2',
          limits: limits({ wallTime: seconds(1), memoryBytes: 300 * MiB }),
        },
        { stdin: '3' },
      ),
      limits: limits({ wallTime: seconds(4), cpuTime: seconds(2) }),
      stopAtFirstFailure: true,
    });
    expect(spec).toMatchObject({ stopAtFirstFailure: true, reportsCases: true });
    expect(spec.cases).toMatchObject([
      {
        name: 'a',
        stdin: Buffer.from('1'),
        expectedOutput: '2',
        limits: { wallTime: seconds(1), cpuTime: seconds(2), memoryBytes: 300 * MiB },
      },
      { name: '', stdin: Buffer.from('3'), limits: { wallTime: seconds(4), cpuTime: seconds(2) } },
    ]);
    expect(spec.cases[1]?.expectedOutput).toBeUndefined();
    expect(lifetimeMs).toBe(95_000);
  });

  test('are one where there are none', () => {
    const { spec } = execution({ stdin: 'x', expectedOutput: 'y' });
    expect(spec).toMatchObject({ reportsCases: false, cases: [{ stdin: Buffer.from('x'), expectedOutput: 'y' }] });
  });

  test.each<[string, Partial<RunCodeRequest>, string[]]>([
    ['a hundred and one', cases(...Array.from({ length: 101 }, () => ({}))), ['testCases']],
    ['together with an input', { ...cases({}), stdin: 'x' }, ['stdin']],
    ['together with an expected output', { ...cases({}), expectedOutput: '' }, ['expectedOutput']],
    ['more than 10 MiB', cases({ stdin: 'x'.repeat(6 * MiB) }, { expectedOutput: 'x'.repeat(5 * MiB) }), ['testCases']],
    ['with a limit of the whole', cases({ limits: limits({ cpus: 1 }) }), ['testCases[0].limits.cpus']],
    ['with a time of nothing', cases({}, { limits: limits({ cpuTime: seconds(0) }) }), ['testCases[1].limits.cpuTime']],
    [
      'with less memory than holds the disk',
      cases({ limits: limits({ memoryBytes: 64 * MiB }) }),
      ['testCases[0].limits.memoryBytes'],
    ],
    ['too many side by side', { ...cases({}), parallelism: 17 }, ['parallelism']],
    ['fewer than none side by side', { ...cases({}), parallelism: -1 }, ['parallelism']],
    ['with a long name', cases({ name: 'n'.repeat(65) }), ['testCases[0].name']],
    [
      'longer than an hour together',
      { ...cases(...Array.from({ length: 13 }, () => ({}))), limits: limits({ wallTime: seconds(300) }) },
      ['testCases'],
    ],
  ])('are refused: %s', (_, request, fields) => {
    expect(refusal(() => execution(request))).toEqual(['INVALID_FIELD', fields]);
  });
});

describe('an interactor', () => {
  const talk = (fields: Partial<Interactor> = {}, more: Partial<RunCodeRequest> = {}) => {
    const interactor = Interactor.create({ language: 'c', source: 'int main(){}', wallTime: seconds(2), ...fields });
    return { interactor, testCases: [TestCase.create({ stdin: '1' })], ...more };
  };

  test('is a program with limits of its own, which the whole lasts longer for', () => {
    const { spec, lifetimeMs } = execution(talk({ protocol: 'KATTIS', arguments: ['x'] }, { keepTranscript: true }));
    expect(spec).toMatchObject({
      keepTranscript: true,
      interactor: {
        files: [{ name: 'main.c' }],
        run: {
          command: ['./main.out', 'input', 'answer', 'feedback/', 'x'],
          limits: { wallTime: seconds(2), outputBytes: 4 * MiB },
        },
        protocol: 'KATTIS',
      },
    });
    expect(lifetimeMs).toBe(execution({}).lifetimeMs + 2_000 + 5_000);
  });

  test.each<[string, Partial<RunCodeRequest>, string[]]>([
    ['together with a checker', talk({}, { checker: Checker.create({ language: 'c', source: 'x' }) }), ['interactor']],
    ['without a program', talk({ source: '' }), ['interactor.source']],
    ['with a time of nothing', talk({ wallTime: seconds(0) }), ['interactor.wallTime', 'interactor.cpuTime']],
    ['with too many arguments', talk({ arguments: Array(65).fill('') }), ['interactor.arguments']],
    ['with a transcript of none', { keepTranscript: true }, ['keepTranscript']],
  ])('is refused %s', (_, request, fields) => {
    expect(refusal(() => execution(request))).toEqual(['INVALID_FIELD', fields]);
  });
});

describe('a checker', () => {
  test('is a program with commands of its own', () => {
    const checker = Checker.create({ language: 'c', source: 'int main(){}', wallTime: seconds(2) });
    expect(execution({ checker }).spec.checker).toMatchObject({
      sandbox: { template: 'polyglot' },
      files: [{ name: 'main.c' }],
      compile: { command: expect.arrayContaining(['gcc']) },
      run: { command: ['./main.out', 'input', 'output', 'expected'], limits: { wallTime: seconds(2) } },
    });
  });

  test.each([
    ['DRYDOCK', ['input', 'output', 'expected']],
    ['TESTLIB', ['input', 'output', 'answer']],
    ['KATTIS', ['input', 'answer', 'feedback/']],
  ] as const)('of %s is given its files, and its own arguments', (protocol, words) => {
    const checker = Checker.create({ language: 'python', source: 'print(1)', protocol, arguments: ['-x'] });
    const { run, protocol: applied } = execution({ checker }).spec.checker!;
    expect([run!.command.slice(-words.length - 1), applied]).toEqual([[...words, '-x'], protocol]);
  });

  test.each<[string, Partial<Checker>, [string, string[]]]>([
    ['with too many arguments', { arguments: Array(65).fill('x') }, ['INVALID_FIELD', ['checker.arguments']]],
    ['of an unknown language', { language: 'klingon' }, ['LANGUAGE_NOT_FOUND', []]],
    ['without a program', { source: '' }, ['INVALID_FIELD', ['checker.source']]],
    ['larger than 1 MiB', { source: 'x'.repeat(MiB + 1) }, ['INVALID_FIELD', ['checker.source']]],
    ['with a time of nothing', { wallTime: seconds(0) }, ['INVALID_FIELD', ['checker.wallTime', 'checker.cpuTime']]],
    ['with a file outside', { source: '', files: [file('../x')] }, ['INVALID_FIELD', ['checker.files[0].name']]],
  ])('is refused %s', (_, fields, expected) => {
    const checker = Checker.create({ language: 'python', source: 'print(1)', ...fields });
    expect(refusal(() => execution({ checker }))).toEqual(expected);
  });
});
