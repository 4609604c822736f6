import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISOLATIONS } from './backend-under-test.ts';
import { type Program, python, specOf, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({
    pool: { floor: 4, ceiling: 8, cells: { floor: 2, ceiling: 4 } },
    environment: { EXECUTOR_EXECUTION_SLOTS: '4' },
  });
});

afterAll(() => executor[Symbol.asyncDispose]());

const CASES = Array.from({ length: 8 }, (_, index) => ({
  name: `${index}`,
  stdin: `${index}`,
  expectedOutput: `${index}`,
}));
const SLOW = 'import time\nn = input()\ntime.sleep(0.3)\nprint(n)';

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  const run = (fields: Partial<Program>) => executor.run({ isolation, source: SLOW, cases: CASES, ...fields });

  test('cases run side by side, with the same results in the same order', async () => {
    // The first leaves cell hosts behind, so that the second has no sandbox to wait for.
    await run({ parallelism: 4 });
    const started = performance.now();
    const { execution, events } = await run({ parallelism: 4 });
    expect(performance.now() - started).toBeLessThan(8 * 300);
    expect(execution!.verdict).toBe('ACCEPTED');
    expect(execution!.cases.map(({ name, stdout }) => [name, stdout])).toEqual(
      CASES.map(({ name }) => [name, `${name}\n`]),
    );
    expect(events).toEqual([...CASES.map(() => 'runStarted'), 'result']);
  });

  test('the first failure stops, whatever has run beside it', async () => {
    const source = 'import time\nn = int(input())\ntime.sleep(0.3 if n == 1 else 0)\nprint(-1 if n in (1, 3) else n)';
    const { execution, events } = await run({ source, parallelism: 4, stopAtFirstFailure: true });
    expect(execution!.cases.map(({ verdict, skipped }) => (skipped ? 'skipped' : verdict))).toEqual([
      'ACCEPTED',
      'WRONG_ANSWER',
      ...Array(6).fill('skipped'),
    ]);
    expect(events).toEqual(['runStarted', 'runStarted', 'result']);
  });

  test('each lane has what the compiler made, and a checker of its own', async () => {
    const { execution } = await run({
      source: 'print(open("made").read(), input())',
      compile: python('open("made", "a").write("x")'),
      checker: { source: 'print(open("output").read())' },
      parallelism: 3,
    });
    expect(execution!.cases.map(({ verdict, message }) => [verdict, message])).toEqual(
      CASES.map(({ name }) => ['ACCEPTED', `x ${name}`]),
    );
  });

  test('a syntax error is found once', async () => {
    const check = { command: python('raise SystemExit("broken")'), environment: {}, limits: specOf().limits };
    const step = { ...check, heapFullSignal: '', interruptSignal: '', streamEnvironment: {} };
    const { execution } = await run({ source: 'f(', parallelism: 4, check: step });
    expect(execution).toMatchObject({ verdict: 'COMPILE_ERROR', compile: { stderr: 'broken\n' } });
  });

  test('an organisation without a share runs its cases one after the other', async () => {
    const sandbox = specOf({ tenancy: { sharedPool: true, sandboxes: 100, executions: 1 } });
    const started = performance.now();
    const { execution } = await run({ parallelism: 4, sandbox });
    expect(performance.now() - started).toBeGreaterThan(8 * 300);
    expect(execution!.verdict).toBe('ACCEPTED');
  });
});

test('nothing is left of all these', async () => {
  await expect.poll(() => executor.metric('executor_executions ')).toBe(0);
  await expect.poll(() => executor.metric('executor_leases{use="used"}'), { timeout: 10_000 }).toBe(0);
  await expect.poll(() => executor.metric('executor_sandboxes'), { timeout: 10_000 }).toBe(0);
});
