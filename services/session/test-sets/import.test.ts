import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import type { ImportTestSetRequest } from '#proto/drydock/v1/test_set.ts';
import { type ZipFile, zipOf } from '../../../test/support/zip.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { testSets, query } = useRecords();

type Files = Record<string, string | ZipFile>;
const hashOf = (data: string) => createHash('sha256').update(data).digest('hex');

async function send(zip: Buffer, fields: Partial<ImportTestSetRequest> = {}, call: Call = someone()) {
  async function* upload(): AsyncIterable<ImportTestSetRequest> {
    yield { name: '', version: '', data: Buffer.alloc(0), ...fields };
    for (let at = 0; at < zip.length; at += 500_000)
      yield { name: '', version: '', data: zip.subarray(at, at + 500_000) };
  }
  const { testSet, notes } = await testSets().importTestSet(upload(), call);
  return { testSet: testSet!, notes: notes.map(({ file, key }) => (key ? `${file}: ${key}` : file)) };
}

async function refusal(zip: Buffer, call = someone()): Promise<[string, string[]]> {
  const error = await send(zip, { name: 'x' }, call).catch((error) => error);
  expect(await leftOf(call)).toEqual({ contents: 0, bytes: 0 });
  return [error.reason, (error.details?.fields ?? []).map(({ field }: { field: string }) => field)];
}

/** What an organisation has in the storage of blobs. */
async function leftOf(call: Call) {
  const { organizationId } = call.caller!;
  const [row] = await query(
    `select (select count(*) from blob_contents where organization_id = $1) as contents,
       coalesce((select bytes from blob_usage where organization_id = $1), 0) as bytes`,
    [organizationId],
  );
  return row;
}

const CASES = {
  'data/sample/1.in': '1 2\n',
  'data/sample/1.ans': '3\n',
  'data/secret/b.in': '5 6\n',
  'data/secret/b.ans': '11\n',
  'data/secret/a/01.in': '3 4\n',
  'data/secret/a/01.ans': '7\n',
};
const LEGACY = `name: A sum
validation: default
validator_flags: case_sensitive float_tolerance 1e-4
limits:
  memory: 512
  output: 8
  compilation_time: 20
source: here
`;

describe('a package', () => {
  test('of the legacy format', async () => {
    const { testSet, notes } = await send(
      zipOf({
        'problem.yaml': LEGACY,
        '.timelimit': '2\n',
        ...CASES,
        'problem_statement/problem.tex': 'sum',
        'submissions/accepted/a.py': 'x',
        'submissions/wrong_answer/b.py': 'x',
      }),
      { version: '7' },
    );
    expect(testSet).toMatchObject({
      name: 'A sum',
      version: '7',
      comparison: 'FLOAT',
      floatTolerance: 1e-4,
      caseInsensitive: false,
      caseCount: 3,
      limits: {
        cpuTime: { seconds: 2 },
        wallTime: { seconds: 7 },
        memoryBytes: 512 * 1024 * 1024,
        outputBytes: 4 * 1024 * 1024,
      },
      compileLimits: { wallTime: { seconds: 20 }, cpuTime: { seconds: 20 } },
    });
    expect(
      testSet.cases.map(({ name, stdinBlob, expectedOutputBlob }) => [name, stdinBlob, expectedOutputBlob]),
    ).toEqual([
      ['sample/1', hashOf('1 2\n'), hashOf('3\n')],
      ['secret/a/01', hashOf('3 4\n'), hashOf('7\n')],
      ['secret/b', hashOf('5 6\n'), hashOf('11\n')],
    ]);
    expect(notes).toEqual([
      'problem.yaml: source',
      'problem_statement/',
      'submissions/',
      'problem.yaml: limits.output',
    ]);
  });

  test('of the format 2023-07, in a directory of its own', async () => {
    const files = {
      'sum/problem.yaml': `problem_format_version: 2023-07
name: { de: Summe, en: Sum }
type: pass-fail
uuid: 1
limits: { time_limit: 1.5 }
`,
      'sum/data/secret/test_group.yaml': 'output_validator_args: [case_sensitive, space_change_sensitive]\n',
      'sum/data/secret/1.in': 'x',
      'sum/data/secret/1.ans': 'y',
      'sum/data/secret/1.hint': 'think',
      'sum/data/invalid_input/1.in': 'z',
      '__MACOSX/sum/._problem.yaml': 'x',
    };
    const { testSet, notes } = await send(zipOf(files));
    expect(testSet).toMatchObject({
      name: 'Sum',
      comparison: 'EXACT',
      caseInsensitive: false,
      limits: { cpuTime: { seconds: 1, nanos: 500_000_000 }, wallTime: { seconds: 5, nanos: 500_000_000 } },
      cases: [{ name: 'secret/1' }],
    });
    expect(notes).toEqual([
      '__MACOSX/sum/._problem.yaml',
      'problem.yaml: uuid',
      'data/invalid_input/',
      'data/secret/1.hint',
    ]);
  });

  test('compares words without regard to case where it says nothing', async () => {
    const { testSet, notes } = await send(zipOf({ 'problem.yaml': 'name: x', ...CASES }));
    expect(testSet).toMatchObject({ comparison: 'TOKENS', caseInsensitive: true });
    expect(notes).toContain('problem.yaml: limits.time_limit');
  });

  test.each<[string, Files, string[]]>([
    ['unknown validation', { 'problem.yaml': 'validation: default fuzzy' }, ['problem.yaml: validation']],
    ['several passes', { 'problem.yaml': 'problem_format_version: 2023-07\ntype: multi-pass' }, ['problem.yaml: type']],
    [
      'a validator that builds itself',
      { 'problem.yaml': 'validation: custom', 'output_validators/v/build': 'x', 'output_validators/v/v.py': 'x' },
      ['output_validators/v/', 'output_validators/v/build'],
    ],
    [
      'several validators',
      { 'problem.yaml': 'validation: custom', 'output_validators/a/a.py': 'x', 'output_validators/b/b.py': 'x' },
      ['output_validators/'],
    ],
    [
      'a validator in no language',
      { 'problem.yaml': 'validation: custom', 'output_validators/v/v.xyz': 'x' },
      ['output_validators/v/'],
    ],
    [
      'a validator that is too large',
      { 'problem.yaml': 'validation: custom', 'output_validators/v.py': 'x'.repeat(1024 * 1024 + 1) },
      ['output_validators/'],
    ],
    [
      'a grader that takes the best case',
      { 'problem.yaml': 'type: scoring', 'data/secret/a/testdata.yaml': 'grader_flags: max\nreject_score: 1' },
      ['data/secret/a/testdata.yaml: grader_flags', 'data/secret/a/testdata.yaml: reject_score'],
    ],
    [
      'groups in groups that score',
      { 'problem.yaml': 'type: scoring', 'data/secret/a/b/1.in': 'x', 'data/secret/a/b/1.ans': 'x' },
      ['data/secret/a/b/'],
    ],
    [
      'groups without points',
      { 'problem.yaml': 'problem_format_version: 2023-07\ntype: scoring' },
      ['data/secret/a/test_group.yaml: max_score', 'data/secret/test_group.yaml: max_score'],
    ],
    [
      'multipliers of a validator',
      {
        'problem.yaml': 'problem_format_version: 2023-07\ntype: scoring',
        'output_validator/v.py': 'x',
        'data/secret/test_group.yaml': 'max_score: 1',
        'data/secret/a/test_group.yaml': 'max_score: 1',
      },
      ['problem.yaml: type'],
    ],
    ['passes', { 'problem.yaml': 'limits: { passes: 2 }' }, ['problem.yaml: limits.passes']],
    ['too little memory', { 'problem.yaml': 'limits: { memory: 8 }' }, ['problem.yaml: limits.memory']],
    ['too much time', { 'problem.yaml': 'limits: { time_limit: 400 }' }, ['problem.yaml: limits.time_limit']],
    [
      'another version',
      { 'problem.yaml': 'problem_format_version: 2031-01' },
      ['problem.yaml: problem_format_version'],
    ],
    ['an unknown flag', { 'problem.yaml': 'validator_flags: fuzzy' }, ['problem.yaml: validator_flags']],
    [
      'tolerances that differ',
      { 'problem.yaml': 'validator_flags: float_absolute_tolerance 1e-3' },
      ['problem.yaml: validator_flags'],
    ],
    ['graders', { 'problem.yaml': '', 'graders/x/run': 'x' }, ['graders/']],
    ['arguments of a case', { 'problem.yaml': '', 'data/secret/b.args': '-x' }, ['data/secret/b.args']],
    [
      'arguments of a group',
      { 'problem.yaml': '', 'data/secret/test_group.yaml': 'args: [x]' },
      ['data/secret/test_group.yaml: args'],
    ],
    [
      'flags that differ between groups',
      { 'problem.yaml': '', 'data/secret/a/testdata.yaml': 'output_validator_flags: case_sensitive' },
      ['data/secret/a/testdata.yaml: output_validator_flags'],
    ],
    [
      'other programs and data',
      { 'problem.yaml': '', 'include/a.h': 'x', 'data/other/x.in': 'x' },
      ['data/other/x.in', 'include/'],
    ],
  ])('with %s is not offered, which names it', async (_, files, fields) => {
    const [reason, found] = await refusal(zipOf({ ...CASES, ...files }));
    expect([reason, found.sort()]).toEqual(['PACKAGE_UNSUPPORTED', fields]);
  });

  test.each<[string, Files, string[]]>([
    [
      'with custom validation and no validator',
      { 'problem.yaml': 'validation: custom', ...CASES },
      ['output_validators/'],
    ],
    ['without test cases', { 'problem.yaml': '' }, ['data/']],
    [
      'without an answer',
      { 'problem.yaml': '', 'data/secret/1.in': 'x', 'data/secret/2.in': 'x', 'data/secret/2.ans': 'x' },
      ['data/secret/1.in'],
    ],
    ['with an answer alone', { 'problem.yaml': '', ...CASES, 'data/secret/x.ans': 'x' }, ['data/secret/x.ans']],
    ['whose problem.yaml is no YAML', { 'problem.yaml': 'a: [', ...CASES }, ['problem.yaml']],
    ['whose problem.yaml is a list', { 'problem.yaml': '- a', ...CASES }, ['problem.yaml']],
    [
      'with a limit that is no number',
      { 'problem.yaml': 'limits: { memory: much }', ...CASES },
      ['problem.yaml: limits.memory'],
    ],
    ['with limits that are none', { 'problem.yaml': 'limits: 5', ...CASES }, ['problem.yaml: limits']],
    ['with a time limit that is none', { 'problem.yaml': '', '.timelimit': 'soon', ...CASES }, ['.timelimit']],
    [
      'with aliases upon aliases',
      {
        'problem.yaml': `a: &a [x, x, x, x, x, x, x, x, x]
b: &b [*a, *a, *a, *a, *a, *a, *a, *a]
c: &c [*b, *b, *b, *b, *b, *b, *b, *b]
d: [*c, *c, *c, *c, *c, *c, *c, *c]`,
        ...CASES,
      },
      ['problem.yaml'],
    ],
  ])('%s is invalid, which names it', async (_, files, fields) => {
    expect(await refusal(zipOf(files))).toEqual(['PACKAGE_INVALID', fields]);
  });
});

describe('what judges in a package', () => {
  test('is a checker, with the flags as arguments and sources before headers', async () => {
    const { testSet } = await send(
      zipOf({
        'problem.yaml': 'name: x\nvalidation: custom\nvalidator_flags: strict 3',
        'output_validators/v/a.h': 'h',
        'output_validators/v/validate.cc': 'cc',
        ...CASES,
      }),
    );
    expect(testSet).toMatchObject({
      checker: { language: 'cpp', protocol: 'KATTIS', arguments: ['strict', '3'] },
      interactor: undefined,
    });
    expect(testSet.checker!.files.map(({ name }) => name)).toEqual(['validate.cc', 'a.h']);
  });

  test('is an interactor', async () => {
    const files = { 'output_validators/v.py': 'x', ...CASES };
    const legacy = await send(zipOf({ 'problem.yaml': 'name: x\nvalidation: custom interactive', ...files }));
    expect(legacy.testSet).toMatchObject({
      checker: undefined,
      interactor: { language: 'python', protocol: 'KATTIS' },
    });
  });

  test('are groups, of the legacy format', async () => {
    const { testSet } = await send(
      zipOf({
        'problem.yaml': 'name: x\ntype: scoring',
        'data/testdata.yaml': 'grader_flags: ignore_sample\non_reject: continue',
        'data/secret/a/testdata.yaml': 'accept_score: 20\ngrader_flags: min\non_reject: break',
        ...CASES,
      }),
    );
    expect(testSet.groups).toMatchObject([
      { name: 'secret/a', aggregation: 'MIN', onFailure: 'STOP', dependsOn: [] },
      { name: 'secret', aggregation: 'SUM', onFailure: 'CONTINUE', dependsOn: [] },
    ]);
    expect(testSet.cases.map(({ group, points }) => [group, points])).toEqual([
      ['', 0],
      ['secret/a', 20],
      ['secret', 1],
    ]);
  });

  test('are groups that need others, of the format 2023-07', async () => {
    const { testSet } = await send(
      zipOf({
        'problem.yaml': 'problem_format_version: 2023-07\nname: x\ntype: scoring',
        'data/secret/test_group.yaml': 'max_score: 10\nscore_aggregation: sum',
        'data/secret/a/test_group.yaml': 'max_score: 90\nrequire_pass: [sample, secret]',
        ...CASES,
      }),
    );
    expect(testSet.groups).toMatchObject([
      { name: 'sample', points: 0 },
      { name: 'secret/a', points: 90, aggregation: 'ALL_OR_NOTHING', dependsOn: ['sample', 'secret'] },
      { name: 'secret', points: 10, aggregation: 'SUM' },
    ]);
  });
});

describe('a plain zip', () => {
  test('has inputs, each with its answer beside it', async () => {
    const files = { 'b.in': '2', 'b.out': '3', 'a/1.in': '', 'a/1.ans': '1', 'readme.txt': 'x' };
    const { testSet, notes } = await send(zipOf(files), { name: 'plain', version: '1' });
    expect(testSet).toMatchObject({
      name: 'plain',
      version: '1',
      comparison: 'TRAILING_SPACE',
      caseInsensitive: false,
    });
    expect(testSet.cases.map(({ name, stdinBlob }) => [name, stdinBlob])).toEqual([
      ['a/1', hashOf('')],
      ['b', hashOf('2')],
    ]);
    expect(notes).toEqual(['readme.txt']);
  });

  test('needs a name', async () => {
    const error = await send(zipOf({ '1.in': '', '1.ans': '' })).catch((error) => error);
    expect([error.reason, error.details.fields[0].field]).toEqual(['INVALID_FIELD', 'name']);
  });

  test.each<[string, Files, string[]]>([
    ['nothing', {}, ['the zip']],
    ['no answer', { '1.in': '' }, ['1.in', 'the zip']],
    ['no input', { '1.ans': '', '2.in': '', '2.ans': '' }, ['1.ans']],
    ['two answers', { '1.in': '', '1.ans': '', '1.out': '' }, ['1.out']],
  ])('with %s is invalid', async (_, files, fields) => {
    expect(await refusal(zipOf(files))).toEqual(['PACKAGE_INVALID', fields]);
  });
});

describe('a hostile zip', () => {
  const MiB = 1024 * 1024;
  const good: Files = { '1.in': '1', '1.ans': '2' };
  test.each<[string, Buffer, string]>([
    ['that is none', Buffer.from('this is no zip'.repeat(100)), 'the zip'],
    ['that is empty', Buffer.alloc(0), 'the zip'],
    ['whose end is missing', zipOf(good).subarray(0, -30), 'the zip'],
    ['with a path that climbs', zipOf({ ...good, '../2.in': 'x' }), 'the zip'],
    ['with an absolute path', zipOf({ ...good, '/etc/2.in': 'x' }), 'the zip'],
    ['with a link', zipOf({ ...good, '2.in': { data: '/etc/passwd', mode: 0o120777 } }), '2.in'],
    ['with a device', zipOf({ ...good, '2.in': { data: '', mode: 0o020666 } }), '2.in'],
    ['with a file that is encrypted', zipOf({ ...good, '2.in': { data: 'x', flags: 1 } }), '2.in'],
    ['with a file packed otherwise', zipOf({ ...good, '2.in': { data: 'x', method: 12 } }), '2.in'],
    [
      'with a file twice',
      zipOf([
        ['1.in', 'a'],
        ['1.in', 'b'],
        ['1.ans', 'c'],
      ]),
      '1.in',
    ],
    ['with a file that is damaged', zipOf({ '1.in': { data: 'x', crc: 1 }, '1.ans': '' }), '1.in'],
    [
      'with a file that is larger than it says',
      zipOf({ '1.in': { data: 'x'.repeat(9 * MiB), claimedBytes: 1 }, '1.ans': '' }),
      '1.in',
    ],
    [
      'with a file that is shorter than it says',
      zipOf({ '1.in': { data: 'x', claimedBytes: 10 }, '1.ans': '' }),
      '1.in',
    ],
    [
      'that says it has more than 1 GiB',
      zipOf(
        Object.fromEntries(Array.from({ length: 5 }, (_, n) => [`${n}.in`, { data: '', claimedBytes: 255 * MiB }])),
      ),
      'the zip',
    ],
    [
      'with 20,001 entries',
      zipOf(Object.fromEntries(Array.from({ length: 20_001 }, (_, n) => [`${n}`, '']))),
      'the zip',
    ],
  ])('%s is refused, and leaves nothing', async (_, zip, field) => {
    const [reason, [first]] = await refusal(zip);
    expect([reason, first]).toEqual(['PACKAGE_INVALID', field]);
  });

  test('with an input that is larger than a blob is not offered', async () => {
    const zip = zipOf({ '1.in': { data: '', claimedBytes: 257 * MiB }, '1.ans': '' });
    expect(await refusal(zip)).toEqual(['PACKAGE_UNSUPPORTED', ['1.in']]);
  });

  test('spends no more than the quota', async () => {
    const call = someone(100, { blobBytes: MiB });
    const zip = zipOf({ '1.in': { data: Buffer.alloc(8 * MiB) }, '1.ans': '' });
    expect((await refusal(zip, call))[0]).toBe('QUOTA_EXCEEDED');
  });
});
