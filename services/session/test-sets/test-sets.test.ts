import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import {
  Checker,
  Interactor,
  type RunCodeRequest,
  SourceFile,
  TestCase,
  TestGroup,
} from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { CreateTestSetRequest, type TestSet } from '#proto/drydock/v1/test_set.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { testSets, blobs, query, submit, take, insertExecution, sweepOnce, complete, expireBlobsOnce } = useRecords();

const MiB = 1024 * 1024;
const seconds = (seconds: number) => ({ seconds, nanos: 0 });
const hashOf = (data: string | Buffer) => createHash('sha256').update(data).digest('hex');
const limits = (fields: Partial<ResourceLimits>) => ResourceLimits.create(fields);

async function put(call: Call, data: string | Buffer): Promise<string> {
  async function* upload() {
    yield { sha256: hashOf(data), data: Buffer.from(data as string) };
  }
  return (await blobs().putBlob(upload(), call)).blob!.sha256;
}

async function create(call: Call, fields: Partial<CreateTestSetRequest> = {}): Promise<TestSet> {
  const cases = [TestCase.create({ name: 'a', stdin: '1', expectedOutput: '2' })];
  const request = CreateTestSetRequest.create({ name: 'sum', cases, ...fields });
  return (await testSets().createTestSet(request, call)).testSet!;
}

const get = async (call: Call, testSetId: string) => (await testSets().getTestSet({ testSetId }, call)).testSet!;

test('text and bytes of cases become blobs, and what was a blob stays one', async () => {
  const call = someone();
  const blob = await put(call, 'from a blob');
  const made = await create(call, {
    version: '3',
    cases: [
      TestCase.create({ name: 'text', stdin: 'in', expectedOutput: '' }),
      TestCase.create({ name: 'bytes', stdinBytes: Buffer.from([0xff, 0x00]) }),
      TestCase.create({ name: 'blob', stdinBlob: blob, expectedOutputBlob: blob }),
      TestCase.create({ name: 'nothing' }),
    ],
  });
  expect(made).toMatchObject({ name: 'sum', version: '3', caseCount: 4, sizeBytes: 26 });
  const found = await get(call, made.id);
  expect(found).toEqual(made);
  expect(found.cases).toMatchObject([
    { name: 'text', stdin: '', stdinBlob: hashOf('in'), expectedOutput: undefined, expectedOutputBlob: hashOf('') },
    { name: 'bytes', stdinBlob: hashOf(Buffer.from([0xff, 0x00])), expectedOutputBlob: '' },
    { name: 'blob', stdinBlob: blob, expectedOutputBlob: blob },
    { name: 'nothing', stdinBlob: '', expectedOutputBlob: '' },
  ]);
});

test('lists have the newest first, by name if asked, without cases', async () => {
  const call = someone();
  const [a, b, c] = [await create(call), await create(call, { name: 'other' }), await create(call)];
  const list = async (fields = {}) =>
    (await testSets().listTestSets({ pageSize: 0, pageToken: '', name: '', ...fields }, call)).testSets;
  expect((await list()).map(({ id }) => id)).toEqual([c.id, b.id, a.id]);
  expect((await list({ name: 'sum' })).map(({ id }) => id)).toEqual([c.id, a.id]);
  expect((await list())[0]).toMatchObject({ caseCount: 1, cases: [] });
});

test('an organisation has its own test sets alone, until it deletes them', async () => {
  const [one, other] = [someone(), someone()];
  const { id } = await create(one);
  const gone = { reason: 'TEST_SET_NOT_FOUND' };
  await expect(get(other, id)).rejects.toMatchObject(gone);
  await expect(testSets().deleteTestSet({ testSetId: id }, other)).rejects.toMatchObject(gone);
  await expect(submit(other, { testSet: id })).rejects.toMatchObject(gone);
  await testSets().deleteTestSet({ testSetId: id }, one);
  await expect(get(one, id)).rejects.toMatchObject(gone);
  await expect(testSets().deleteTestSet({ testSetId: id }, one)).rejects.toMatchObject(gone);
  await expect(submit(one, { testSet: id })).rejects.toMatchObject(gone);
  await expect(get(one, 'tst_x')).rejects.toMatchObject(gone);
});

test('a repeated request answers with the same test set', async () => {
  const call = someone();
  const first = await create(call, { requestId: 'r', timeMultipliers: { python: 2, java: 3 } });
  expect(await create(call, { requestId: 'r', timeMultipliers: { java: 3, python: 2 } })).toEqual(first);
  await expect(create(call, { requestId: 'r', name: 'else' })).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
});

describe('refused', () => {
  test.each<[string, Partial<CreateTestSetRequest>, string[]]>([
    ['without a name', { name: '' }, ['name']],
    ['without cases', { cases: [] }, ['cases']],
    ['with too many cases', { cases: Array.from({ length: 1001 }, () => TestCase.create()) }, ['cases']],
    ['with a long name of a case', { cases: [TestCase.create({ name: 'n'.repeat(256) })] }, ['cases[0].name']],
    [
      'with two inputs of a case',
      { cases: [TestCase.create({ stdin: 'x', stdinBytes: Buffer.from('x') })] },
      ['cases[0].stdin'],
    ],
    ['with more text than a request has', { cases: [TestCase.create({ stdin: 'x'.repeat(10 * MiB + 1) })] }, ['cases']],
    ['with a blob that is no hash', { cases: [TestCase.create({ stdinBlob: 'x' })] }, ['cases[0].stdinBlob']],
    ['with no time', { limits: limits({ wallTime: seconds(0) }) }, ['limits.wallTime']],
    [
      'with memory of its compiler',
      { compileLimits: limits({ memoryBytes: 512 * MiB }) },
      ['compileLimits.memoryBytes'],
    ],
    ['with a multiplier of nothing', { timeMultipliers: { python: 0 } }, ['timeMultipliers.python']],
    [
      'with a multiplier that exceeds what time there may be',
      { limits: limits({ wallTime: seconds(100) }), timeMultipliers: { python: 4 } },
      ['timeMultipliers.python'],
    ],
    [
      'with a group that is not there, and points below 0',
      { cases: [TestCase.create({ group: 'small', points: -1 })] },
      ['cases[0].points', 'cases[0].group'],
    ],
    [
      'with groups in a circle',
      {
        cases: [TestCase.create({ group: 'a' }), TestCase.create({ group: 'b' })],
        groups: [TestGroup.create({ name: 'a', dependsOn: ['b'] }), TestGroup.create({ name: 'b', dependsOn: ['a'] })],
      },
      ['groups[0].dependsOn'],
    ],
    [
      'with a checker and an interactor',
      {
        checker: Checker.create({ language: 'python', source: 'x' }),
        interactor: Interactor.create({ language: 'python', source: 'x' }),
      },
      ['interactor'],
    ],
    ['with a tolerance of nothing', { floatTolerance: 0 }, ['floatTolerance']],
    ['with a checker without a program', { checker: Checker.create({ language: 'c' }) }, ['checker.source']],
  ])('%s', async (_, fields, expected) => {
    const error = await create(someone(), fields).catch((error) => error);
    expect([error.reason, error.details.fields.map(({ field }: { field: string }) => field)]).toEqual([
      'INVALID_FIELD',
      expected,
    ]);
  });

  test('with languages or blobs that are not there, which are named', async () => {
    const call = someone();
    await expect(create(call, { timeMultipliers: { klingon: 2 } })).rejects.toMatchObject({
      reason: 'LANGUAGE_NOT_FOUND',
    });
    const [one, two] = [hashOf('1'), hashOf('2')];
    const cases = [TestCase.create({ stdinBlob: one, expectedOutputBlob: two })];
    await expect(create(call, { cases })).rejects.toMatchObject({
      reason: 'BLOB_NOT_FOUND',
      details: { metadata: { sha256: `${one},${two}`, count: '2' } },
    });
  });
});

describe('an execution of a test set', () => {
  test('carries its source alone, and is judged as the test set says', async () => {
    const call = someone();
    const blob = await put(call, 'given');
    const { id } = await create(call, {
      cases: [
        TestCase.create({ name: 'first', stdinBlob: blob, expectedOutput: 'x' }),
        TestCase.create({ name: 'slow', limits: limits({ wallTime: seconds(9) }) }),
      ],
      comparison: 'TOKENS',
      caseInsensitive: true,
      limits: limits({ wallTime: seconds(3), cpuTime: seconds(2), memoryBytes: 300 * MiB }),
      timeMultipliers: { python: 2 },
      checker: Checker.create({ language: 'python', source: 'exit(0)' }),
    });
    const { id: executionId } = await submit(call, { testSet: id, limits: limits({ cpuTime: seconds(1) }) });
    const [row] = await query('select length(spec) as bytes, test_set_id from executions where id = $1', [executionId]);
    expect(row).toMatchObject({ test_set_id: id });
    const { spec } = await take(call);
    const run = { wallTime: seconds(6), cpuTime: seconds(1), memoryBytes: 300 * MiB };
    expect(spec).toMatchObject({
      comparison: 'TOKENS',
      caseInsensitive: true,
      reportsCases: true,
      run: { limits: run },
      cases: [
        { name: 'first', stdinBlob: blob, expectedOutputBlob: hashOf('x'), limits: run },
        { name: 'slow', stdinBlob: '', expectedOutputBlob: '', limits: { ...run, wallTime: seconds(18) } },
      ],
      checker: { files: [{ name: 'main.py', content: { $case: 'text', value: 'exit(0)' } }] },
    });
    const { spec: now } = await insertExecution(call, { testSet: id, limits: limits({ cpuTime: seconds(1) }) });
    expect({ ...now, executionId: '', sandbox: undefined, checker: { ...now!.checker, sandbox: undefined } }).toEqual({
      ...spec,
      executionId: '',
      sandbox: undefined,
      checker: { ...spec!.checker, sandbox: undefined },
    });
  });

  test('has a record that hardly grows with the test set', async () => {
    const call = someone();
    const cases = Array.from({ length: 1000 }, (_, n) => TestCase.create({ name: `case ${n}`, expectedOutput: 'x' }));
    const { id } = await create(call, { cases, limits: limits({ wallTime: seconds(1) }) });
    const { id: executionId } = await submit(call, { testSet: id });
    const [row] = await query('select length(spec) as bytes from executions where id = $1', [executionId]);
    expect(row.bytes).toBeLessThan(4_000);
    const { spec } = await take(call);
    expect(spec!.cases.map(({ name }) => name)).toEqual(cases.map(({ name }) => name));
  });

  test.each<[keyof RunCodeRequest, unknown, string]>([
    ['testCases', [TestCase.create()], 'testCases'],
    ['stdin', 'x', 'stdin'],
    ['expectedOutputBlob', hashOf('x'), 'stdin'],
    ['comparison', 'EXACT', 'comparison'],
    ['floatTolerance', 0.1, 'floatTolerance'],
    ['floatAbsoluteTolerance', 0.1, 'floatAbsoluteTolerance'],
    ['floatRelativeTolerance', 0.1, 'floatRelativeTolerance'],
    ['groups', [TestGroup.create({ name: 'small' })], 'groups'],
    ['interactor', Interactor.create({ language: 'python', source: 'exit(0)' }), 'interactor'],
    ['caseInsensitive', true, 'caseInsensitive'],
    ['checker', Checker.create({ language: 'python', source: 'exit(0)' }), 'checker'],
  ])('says no %s of its own', async (name, value, field) => {
    const call = someone();
    await put(call, 'x');
    const { id } = await create(call);
    await expect(submit(call, { testSet: id, [name]: value })).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field }] },
    });
  });

  test('has the groups, points and interactor of its test set, when it is submitted and when it is taken', async () => {
    const call = someone();
    const text = await put(call, 'print(1)');
    const files = [SourceFile.create({ name: 'talk.py', content: { $case: 'blob', value: text } })];
    const { id } = await create(call, {
      cases: ['a', 'a', 'b', ''].map((group) => TestCase.create({ group, points: group ? undefined : 5 })),
      groups: [
        TestGroup.create({ name: 'a', points: 40, aggregation: 'SUM', onFailure: 'STOP' }),
        TestGroup.create({ name: 'b', points: 60, dependsOn: ['a'] }),
      ],
      interactor: Interactor.create({ language: 'python', files, protocol: 'KATTIS', arguments: ['x'] }),
    });
    const request = { testSet: id, keepTranscript: true };
    const expected = {
      isScored: true,
      groups: [
        { name: 'a', points: 40, aggregation: 'SUM', onFailure: 'STOP' },
        { name: 'b', points: 60, aggregation: 'ALL_OR_NOTHING', onFailure: 'CONTINUE', dependsOn: ['a'] },
      ],
      cases: [
        { group: 'a', points: 20 },
        { group: 'a', points: 20 },
        { group: 'b', points: 60 },
        { group: '', points: 5 },
      ],
      interactor: { protocol: 'KATTIS', files: [{ name: 'talk.py', content: { $case: 'data' } }] },
      keepTranscript: true,
    };
    expect((await insertExecution(call, request)).spec).toMatchObject(expected);
    await submit(call, request);
    expect((await take(call)).spec).toMatchObject(expected);
  });

  test('keeps a deleted test set and its blobs until it has ended', async () => {
    const call = someone();
    const { id, cases } = await create(call);
    const { id: executionId } = await submit(call, { testSet: id });
    await testSets().deleteTestSet({ testSetId: id }, call);
    await query(`update test_sets set delete_time = now() - interval '11 minutes' where id = $1`, [id]);
    await query(`update blobs set use_time = now() - interval '40 days' where organization_id = $1`, [
      call.caller!.organizationId,
    ]);
    await sweepOnce();
    await expireBlobsOnce();
    expect((await take(call)).spec!.cases[0]).toMatchObject({ stdinBlob: cases[0]!.stdinBlob });
    await complete(call, executionId);
    await sweepOnce();
    expect(await query('select id from test_sets where id = $1', [id])).toEqual([]);
    await expireBlobsOnce();
    const sha256s = [cases[0]!.stdinBlob];
    expect((await blobs().statBlobs({ sha256s }, call)).missingSha256s).toEqual([]);
  });
});

describe('an execution with blobs', () => {
  test('names them to the executor, and has the bytes of sources itself', async () => {
    const call = someone();
    const [source, data] = [await put(call, 'class A { static void main(String[] a) {} }'), await put(call, 'data')];
    const files = [
      SourceFile.create({ name: 'Main.java', content: { $case: 'blob', value: source } }),
      SourceFile.create({ name: 'data.txt', content: { $case: 'blob', value: data } }),
    ];
    const { spec } = await insertExecution(call, {
      language: 'java',
      source: '',
      files,
      stdinBlob: data,
      expectedOutputBlob: data,
    });
    expect(spec).toMatchObject({
      files: [
        { name: 'Main.java', content: { $case: 'data' } },
        { name: 'data.txt', content: { $case: 'blob', value: data } },
      ],
      cases: [{ stdinBlob: data, expectedOutputBlob: data }],
    });
    expect(spec!.run!.command).toContain('A');
  });

  test('may have an input of any bytes', async () => {
    const stdinBytes = Buffer.from([0, 255, 10]);
    const { spec } = await insertExecution(someone(), { stdinBytes });
    expect(spec!.cases).toMatchObject([{ stdin: stdinBytes }]);
  });

  test('is refused without them, and without a record', async () => {
    const call = someone();
    const missing = hashOf('missing');
    await expect(submit(call, { stdinBlob: missing })).rejects.toMatchObject({
      reason: 'BLOB_NOT_FOUND',
      message: expect.stringContaining(missing),
    });
    expect(await query('select id from executions where organization_id = $1', [call.caller!.organizationId])).toEqual(
      [],
    );
  });

  test.each<[string, Partial<RunCodeRequest>, string]>([
    ['a hash in capitals', { stdinBlob: 'A'.repeat(64) }, 'stdinBlob'],
    ['two inputs', { stdin: 'x', stdinBytes: Buffer.from('x') }, 'stdin'],
    ['two expected outputs', { expectedOutput: 'x', expectedOutputBlob: hashOf('x') }, 'expectedOutput'],
    ['too many bytes', { stdinBytes: Buffer.alloc(10 * MiB + 1) }, 'stdin'],
    ['bytes beside test cases', { stdinBytes: Buffer.from('x'), testCases: [TestCase.create()] }, 'stdin'],
  ])('is refused with %s', async (_, fields, field) => {
    const call = someone();
    await put(call, 'x');
    await expect(insertExecution(call, fields)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field }] },
    });
  });

  test('has no expected output that is larger than any output may be', async () => {
    const call = someone();
    async function* large() {
      yield { sha256: hashOf(Buffer.alloc(11 * MiB)), data: Buffer.alloc(0) };
      for (let n = 0; n < 11; n++) yield { sha256: '', data: Buffer.alloc(MiB) };
    }
    const { blob } = await blobs().putBlob(large(), call);
    await expect(insertExecution(call, { expectedOutputBlob: blob!.sha256 })).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field: 'expectedOutputBlob' }] },
    });
  });
});
