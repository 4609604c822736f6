import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { ISOLATIONS } from './backend-under-test.ts';
import { type Program, python, type Ran, startExecutor, type TestExecutor } from './fixture.ts';

let executor: TestExecutor;

beforeAll(async () => {
  executor = await startExecutor({ pool: { floor: 2, ceiling: 4, cells: { floor: 1, ceiling: 2 } } });
});

afterAll(() => executor[Symbol.asyncDispose]());

// What it makes is another time different, executable, and in a directory of its own.
const MAKE = python(`import os, sys
os.makedirs("out/deep")
open("out/deep/made", "w").write(os.urandom(8).hex())
os.chmod("out/deep/made", 0o751)
os.symlink("deep/made", "out/link")
print("made"); print("warned", file=sys.stderr)`);
const SHOW = `import os
print(open("out/link").read(), oct(os.stat("out/deep/made").st_mode), os.path.exists("main.py"), os.stat("out").st_uid == os.getuid())`;

describe.each(ISOLATIONS)('in a %s', (isolation) => {
  const run = (fields: Partial<Program> = {}) => executor.run({ isolation, source: SHOW, compile: MAKE, ...fields });
  const madeBy = ({ execution, stdout }: Ran) => [execution!.compile!.cached, stdout.toString()];

  test('the same is compiled once, and is what it was', async () => {
    const first = await run();
    const second = await run({ cases: [{}, {}] });
    expect(first.execution).toMatchObject({ verdict: 'ACCEPTED', compile: { cached: false, stdout: 'made\n' } });
    const { compile } = first.execution!;
    expect(second.execution!.compile).toEqual({ ...compile, cached: true });
    expect(first.execution!.stdout).toMatch(/^[0-9a-f]{16} 0o100751 True True\n$/);
    const { stdout } = first.execution!;
    expect(second.execution!.cases).toMatchObject([
      { verdict: 'ACCEPTED', stdout },
      { verdict: 'ACCEPTED', stdout },
    ]);
  });

  test.each<[string, Partial<Program>]>([
    ['another source', { source: `${SHOW} # other` }],
    [
      'another name',
      {
        files: [
          { name: 'main.py', content: { $case: 'text', value: SHOW } },
          { name: 'b', content: { $case: 'text', value: '' } },
        ],
      },
    ],
    ['another command', { compile: [...MAKE, 'x'] }],
    ['another limit', { compileLimits: { openFiles: 512 } }],
    ['another organisation', { organizationId: 'org_theirs' }],
  ])('%s is compiled by itself', async (_, fields) => {
    await run();
    const [cached, stdout] = madeBy(await run(fields));
    expect(cached).toBe(false);
    expect(stdout).not.toBe(madeBy(await run())[1]);
    expect(madeBy(await run(fields))).toEqual([true, stdout]);
  });

  test('what does not compile is tried again', async () => {
    const compile = python('raise SystemExit("no")');
    for (let time = 0; time < 2; time++)
      expect((await run({ compile })).execution).toMatchObject({
        verdict: 'COMPILE_ERROR',
        compile: { cached: false },
      });
  });

  test('a checker is compiled once for all executions', async () => {
    const checker = {
      source: 'print(open("made").read())',
      compile: python('import os; open("made", "w").write(os.urandom(8).hex())'),
    };
    const message = async () =>
      (await executor.run({ isolation, source: 'print(1)', checker, cases: [{}] })).execution!.cases[0]!.message;
    const first = await message();
    expect(first).toMatch(/^[0-9a-f]{16}$/);
    expect(await message()).toBe(first);
  });

  test('a program that changes what was made changes nothing for the next', async () => {
    const source = `${SHOW}\nopen("out/deep/made", "w").write("mine")`;
    const [first, second] = [await run({ source }), await run({ source })];
    expect(second.stdout).toEqual(first.stdout);
    expect(second.execution!.compile!.cached).toBe(true);
  });

  test('what is damaged on disk is not used, and what a crash left is gone', async () => {
    const fields = { source: `${SHOW} # damaged` };
    const [, first] = madeBy(await run(fields));
    await executor.kill();
    const directory = join(executor.dataDirectory, 'cache');
    await writeFile(join(directory, 'artifact-x.0.draft'), 'torn');
    await executor.restart();
    expect(madeBy(await run(fields))).toEqual([true, first]);
    for (const name of await readdir(directory)) {
      const bytes = await readFile(join(directory, name));
      bytes[bytes.length - 1]! ^= 1;
      await writeFile(join(directory, name), bytes);
    }
    const [cached, stdout] = madeBy(await run(fields));
    expect(cached).toBe(false);
    expect(stdout).not.toBe(first);
    expect(await readdir(directory)).not.toContain('artifact-x.0.draft');
  });
});

test('the cache counts, and keeps to its bytes', async () => {
  await using small = await startExecutor({ environment: { EXECUTOR_ARTIFACT_CACHE_BYTES: '100000' } });
  const compile = python('import os; open("large", "wb").write(os.urandom(60_000)); print("made")');
  const run = async (source: string) => (await small.run({ source, compile })).execution!.compile!.cached;
  expect([await run('1'), await run('1'), await run('2'), await run('1')]).toEqual([false, true, false, false]);
  expect(await small.metric('executor_cache_bytes{cache="artifacts"}')).toBeLessThanOrEqual(100_000);
  expect(await small.metric('executor_cache_evictions_total{cache="artifacts"}')).toBe(2);
  expect(await small.metric('executor_compiles_total{result="cached"}')).toBe(1);
});

test('without bytes nothing is kept', async () => {
  await using none = await startExecutor({ environment: { EXECUTOR_ARTIFACT_CACHE_BYTES: '0' } });
  const compile = python('print("made")');
  for (let time = 0; time < 2; time++)
    expect((await none.run({ source: 'print(1)', compile })).execution).toMatchObject({
      verdict: 'ACCEPTED',
      compile: { cached: false },
    });
});
