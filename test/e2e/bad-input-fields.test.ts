import type { JsonObject } from '@bufbuild/protobuf';
import { afterEach, describe, expect, inject, test } from 'vitest';
import { type Case, expectRefused, INVALID, notFound } from '../support/refusal-cases.ts';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS } from '../support/wire.ts';

const MiB = 1024 * 1024;

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 1);
afterEach(async () => {
  expect((await tenant.http('GET', '/v1/sandboxes')).body.sandboxes).toEqual([]);
  expect((await tenant.http('GET', '/v1/executions')).body.executions).toEqual([]);
});

const create = (more: JsonObject): JsonObject => ({ template: 'python', ...more });
const run = (more: JsonObject): JsonObject => ({ language: 'python', source: 'print(1)', ...more });
const files = (...list: JsonObject[]): JsonObject => ({ language: 'python', files: list });
const many = (count: number) => Object.fromEntries(Array.from({ length: count }, (_, index) => [`V${index}`, 'x']));

const limits: [name: string, value: string | number, says: RegExp][] = [
  ['memoryBytes', 0, /from 67108864 to/],
  ['memoryBytes', -1, /from 67108864 to/],
  ['memoryBytes', 8193 * MiB, /to 8589934592/],
  ['processes', 0, /from 16 to 4096/],
  ['processes', -16, /from 16 to 4096/],
  ['processes', 4097, /from 16 to 4096/],
  ['diskBytes', 0, /from 1048576 to/],
  ['diskBytes', -1, /from 1048576 to/],
  ['cpus', 0, /from 0.05 to 16/],
  ['cpus', -0.5, /from 0.05 to 16/],
  ['cpus', 16.1, /from 0.05 to 16/],
  ['cpus', 'NaN', /from 0.05 to 16/],
  ['cpus', 'Infinity', /from 0.05 to 16/],
  ['cpus', '-Infinity', /from 0.05 to 16/],
];
const runLimits: typeof limits = [
  ['outputBytes', 0, /from 1 to 4194304/],
  ['outputBytes', -1, /from 1 to 4194304/],
  ['outputBytes', 4 * MiB + 1, /from 1 to 4194304/],
  ['wallTime', '0s', /above 0 and at most 300 s/],
  ['wallTime', '-1s', /above 0 and at most 300 s/],
  ['wallTime', '300.1s', /above 0 and at most 300 s/],
  ['cpuTime', '0s', /above 0 and at most 300 s/],
  ['cpuTime', '-0.5s', /above 0 and at most 300 s/],
  ['cpuTime', '301s', /above 0 and at most 300 s/],
];

describe('CreateSandbox refuses', () => {
  test.each<Case>([
    ['no template', CALLS.createSandbox, {}, 'template', /is required/],
    [
      'an unknown template',
      CALLS.createSandbox,
      { template: 'nope' },
      undefined,
      /'nope'; ListTemplates/,
      notFound('TEMPLATE_NOT_FOUND'),
    ],
    ...limits.map<Case>(([name, value, says]) => [
      `${name} of ${value}`,
      CALLS.createSandbox,
      create({ limits: { [name]: value } }),
      `limits.${name}`,
      says,
    ]),
    [
      'a time limit',
      CALLS.createSandbox,
      create({ limits: { wallTime: '1s' } }),
      'limits.wallTime',
      /a sandbox has its lifetime/,
    ],
    ['a lifetime of 0', CALLS.createSandbox, create({ lifetime: '0s' }), 'lifetime', /from 1 s to 24 h/],
    ['a negative lifetime', CALLS.createSandbox, create({ lifetime: '-5s' }), 'lifetime', /from 1 s to 24 h/],
    ['a lifetime of more than a day', CALLS.createSandbox, create({ lifetime: '86400.1s' }), 'lifetime', /to 24 h/],
    ['NUL in a label', CALLS.createSandbox, create({ metadata: { a: 'b\0' } }), 'metadata.a', /NUL/],
    ['NUL in the key of a label', CALLS.createSandbox, create({ metadata: { 'a\0': 'b' } }), 'metadata', /NUL/],
    ['an empty key of a label', CALLS.createSandbox, create({ metadata: { '': 'b' } }), 'metadata', /is required/],
    ['33 labels', CALLS.createSandbox, create({ metadata: many(33) }), 'metadata', /more than 32/],
    ['NUL in a variable', CALLS.createSandbox, create({ environment: { A: 'b\0' } }), 'environment.A', /NUL/],
    ['a variable named A=B', CALLS.createSandbox, create({ environment: { 'A=B': '' } }), 'environment', /name/],
    ['129 variables', CALLS.createSandbox, create({ environment: many(129) }), 'environment', /more than 128/],
    [
      'an environment of more than 32 KiB',
      CALLS.createSandbox,
      create({ environment: { A: 'x'.repeat(32 * 1024) } }),
      'environment',
      /32 KiB/,
    ],
    ['a request id of 129', CALLS.createSandbox, create({ requestId: 'x'.repeat(129) }), 'requestId', /128 characters/],
    ['NUL in a request id', CALLS.createSandbox, create({ requestId: 'x\0' }), 'requestId', /NUL/],
  ])('%s', async (name, call, request, field, says, wrong) => {
    await expectRefused(wire, [name, call, request, field, says, wrong]);
  });
});

const badNames: [name: string, says: RegExp][] = [
  ['/etc/passwd', /must be relative/],
  ['../up.py', /'\.\.'/],
  ['a/../b.py', /'\.\.'/],
  ['./a.py', /'\.'/],
  ['a/./b.py', /'\.'/],
  ['.', /'\.'/],
  ['..', /'\.\.'/],
  ['a//b.py', /'\/\/'/],
  ['a/', /'\/\/'/],
  ['-a.py', /must not begin with '-'/],
  ['a\0.py', /NUL/],
  ['', /is required/],
  ['ä'.repeat(128), /255 bytes/],
];

describe.each([
  ['RunCode', CALLS.runCode],
  ['StreamCode', CALLS.streamCode],
])('%s refuses', (_, call) => {
  test.each<Case>([
    [
      'an unknown language',
      call,
      { language: 'klingon', source: 'x' },
      undefined,
      /'klingon'; ListLanguages/,
      {
        ...INVALID,
        reason: 'LANGUAGE_NOT_FOUND',
      },
    ],
    ['nothing to run', call, {}, 'language', /template and command/],
    [
      'an unknown template',
      call,
      { template: 'nope', command: ['true'] },
      undefined,
      /ListTemplates/,
      notFound('TEMPLATE_NOT_FOUND'),
    ],
    ['a template without a command', call, { template: 'python' }, 'language', /template and command/],
    ['a language with a template', call, run({ template: 'python' }), 'language', /cannot be combined with template/],
    ['no source and no files', call, { language: 'python' }, 'source', /set source or files/],
    ['an empty source', call, { language: 'python', source: '' }, 'source', /set source or files/],
    ['source and files', call, run({ files: [{ name: 'a.py', text: '' }] }), 'source', /cannot be combined with files/],
    ['a source of more than 10 MiB', call, run({ source: '#'.repeat(10 * MiB + 1) }), 'source', /10 MiB/],
    [
      'files of more than 10 MiB together',
      call,
      files({ name: 'main.py', text: '#'.repeat(6 * MiB) }, { name: 'b.py', text: '#'.repeat(5 * MiB) }),
      'files',
      /10 MiB/,
    ],
    [
      '1001 files',
      call,
      files(...Array.from({ length: 1001 }, (_, index) => ({ name: `f${index}.py`, text: '' }))),
      'files',
      /more than 1000/,
    ],
    ...badNames.map<Case>(([name, says]) => [
      `a file named ${JSON.stringify(name).slice(0, 20)}`,
      call,
      files({ name: 'main.py', text: 'print(1)' }, { name, text: '' }),
      'files[1].name',
      says,
    ]),
    ['an entry point outside of the program', call, run({ entrypoint: '../x.py' }), 'entrypoint', /'\.\.'/],
    [
      'an entry point that is no file',
      call,
      { ...files({ name: 'a.py', text: '' }), entrypoint: 'b.py' },
      'entrypoint',
      /not among the files/,
    ],
    [
      'a name twice',
      call,
      files({ name: 'a.py', text: '' }, { name: 'a.py', text: '' }),
      'files[1].name',
      /is a duplicate/,
    ],
    [
      'a file that is a directory',
      call,
      files({ name: 'a', text: '' }, { name: 'a/b', text: '' }),
      'files[1].name',
      /as its directory/,
    ],
    ['a file without content', call, files({ name: 'a.py' }), 'files[0]', /text, data or blob/],
    ['NUL in an argument', call, run({ arguments: ['a', 'b\0'] }), 'arguments', /NUL/],
    ['1025 arguments', call, run({ arguments: Array(1025).fill('a') }), 'arguments', /more than 1024/],
    ['arguments of more than 128 KiB', call, run({ arguments: ['x'.repeat(128 * 1024)] }), 'arguments', /128 KiB/],
    ['65 compiler options', call, run({ compilerOptions: Array(65).fill('-a') }), 'compilerOptions', /more than 64/],
    ['NUL in a command', call, { template: 'python', command: ['a\0'] }, 'command', /NUL/],
    ['NUL in a variable', call, run({ environment: { A: '\0' } }), 'environment.A', /NUL/],
    ['an input of more than 10 MiB', call, run({ stdin: 'x'.repeat(10 * MiB + 1) }), 'stdin', /10 MiB/],
    ...[0, -1, 1.1, 'NaN', 'Infinity'].map<Case>((value) => [
      `a float tolerance of ${value}`,
      call,
      run({ floatTolerance: value }),
      'floatTolerance',
      /above 0 and at most 1/,
    ]),
    ...[...limits, ...runLimits].map<Case>(([name, value, says]) => [
      `${name} of ${value}`,
      call,
      run({ limits: { [name]: value } }),
      `limits.${name}`,
      says,
    ]),
    ...runLimits.map<Case>(([name, value, says]) => [
      `${name} of ${value} for the compiler`,
      call,
      { language: 'c', source: 'int main;', compileLimits: { [name]: value } },
      `compileLimits.${name}`,
      says,
    ]),
    [
      'memory for the compiler',
      call,
      run({ compileLimits: { memoryBytes: 64 * MiB } }),
      'compileLimits.memoryBytes',
      /the run.s limit applies/,
    ],
    ['a request id of 129', call, run({ requestId: 'x'.repeat(129) }), 'requestId', /128 characters/],
  ])('%s', async (name, call, request, field, says, wrong) => {
    await expectRefused(wire, [name, call, request, field, says, wrong]);
  });
});
