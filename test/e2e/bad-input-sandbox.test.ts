import type { JsonObject } from '@bufbuild/protobuf';
import { afterAll, beforeAll, describe, expect, inject, test } from 'vitest';
import { type Case, expectRefused, INVALID, notFound, type Wrong } from '../support/refusal-cases.ts';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS, type PublicCall } from '../support/wire.ts';

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 1);
let sandboxId = '';
beforeAll(async () => {
  sandboxId = (await tenant.api.createSandbox()).id;
});
afterAll(async () => {
  // No refused call left a process in it, or a file.
  expect((await tenant.http('GET', `/v1/sandboxes/${sandboxId}/processes`)).body.processes).toEqual([]);
  expect((await tenant.http('GET', `/v1/sandboxes/${sandboxId}/files:list`)).body.files).toEqual([]);
  await tenant.api.deleteSandbox(sandboxId);
});

const processId = 'prc_01jv0000000000000000000000';
const inSandbox =
  (more: JsonObject): (() => JsonObject) =>
  () => ({ sandboxId, ...more });

describe('a sandbox refuses', () => {
  const command = ['true'];
  test.each<[string, PublicCall, () => JsonObject, string | undefined, RegExp, Wrong?]>([
    ['no command', CALLS.startProcess, inSandbox({}), 'command', /is required/],
    ['an empty command', CALLS.startProcess, inSandbox({ command: [''] }), 'command', /is required/],
    ['NUL in a word', CALLS.startProcess, inSandbox({ command: ['echo', '\0'] }), 'command', /NUL/],
    ['1025 words', CALLS.startProcess, inSandbox({ command: Array(1025).fill('a') }), 'command', /more than 1024/],
    ['NUL in a variable', CALLS.startProcess, inSandbox({ command, environment: { A: '\0' } }), 'environment', /NUL/],
    [
      'a variable without a name',
      CALLS.startProcess,
      inSandbox({ command, environment: { '': 'a' } }),
      'environment',
      /name/,
    ],
    [
      'a directory with ..',
      CALLS.startProcess,
      inSandbox({ command, workingDirectory: '../..' }),
      'workingDirectory',
      /'\.\.'/,
    ],
    [
      'NUL in a directory',
      CALLS.startProcess,
      inSandbox({ command, workingDirectory: 'a\0' }),
      'workingDirectory',
      /NUL/,
    ],
    [
      'a terminal without columns',
      CALLS.startProcess,
      inSandbox({ command, terminal: { rows: 1 } }),
      'terminal',
      /from 1 to 1000/,
    ],
    [
      'input for a terminal',
      CALLS.startProcess,
      inSandbox({ command, terminal: { rows: 1, columns: 1 }, stdin: 'YQ==' }),
      'stdin',
      /cannot be combined with/,
    ],
    [
      'a program that is not there',
      CALLS.startProcess,
      inSandbox({ command: ['no-such-program'] }),
      undefined,
      /no-such-program/,
      { ...INVALID, reason: 'COMMAND_NOT_FOUND' },
    ],
    [
      'a signal that is none',
      CALLS.signalProcess,
      inSandbox({ processId, signal: 'SIGNOPE' }),
      'signal',
      /such as SIGTERM/,
    ],
    ['a negative offset', CALLS.connectProcess, inSandbox({ processId, stdoutOffset: -1 }), 'stdoutOffset', /negative/],
    [
      'an unknown process',
      CALLS.connectProcess,
      inSandbox({ processId }),
      undefined,
      /process/,
      notFound('PROCESS_NOT_FOUND'),
    ],
    [
      'a process id of no shape',
      CALLS.connectProcess,
      inSandbox({ processId: '../x' }),
      undefined,
      /process/,
      notFound('PROCESS_NOT_FOUND'),
    ],
    ...[CALLS.statFile, CALLS.readFile, CALLS.makeDirectory, CALLS.removeFile].flatMap<
      [string, PublicCall, () => JsonObject, string, RegExp]
    >((call) => [
      [`${call.grpc}: an empty path`, call, inSandbox({ path: '' }), 'path', /is required/],
      [`${call.grpc}: ..`, call, inSandbox({ path: '../etc' }), 'path', /'\.\.'/],
      [`${call.grpc}: .. inside`, call, inSandbox({ path: '/home/user/../../etc' }), 'path', /'\.\.'/],
      [`${call.grpc}: NUL`, call, inSandbox({ path: 'a\0b' }), 'path', /NUL/],
      [`${call.grpc}: 4097 bytes`, call, inSandbox({ path: 'a'.repeat(4097) }), 'path', /4096 bytes/],
    ]),
    ['writing above the home', CALLS.writeFile, inSandbox({ path: '../a' }), 'path', /'\.\.'/],
    ['writing a name with NUL', CALLS.writeFile, inSandbox({ path: 'a\0' }), 'path', /NUL/],
    [
      'a negative offset in a file',
      CALLS.readFile,
      inSandbox({ path: 'a', offsetBytes: -1 }),
      'offsetBytes',
      /negative/,
    ],
    ['a length of 0', CALLS.readFile, inSandbox({ path: 'a', lengthBytes: 0 }), 'lengthBytes', /above 0/],
    ['an empty change', CALLS.updateSandbox, inSandbox({}), 'updateMask', /nothing to change/],
    [
      'a change of what cannot change',
      CALLS.updateSandbox,
      inSandbox({ updateMask: 'limits', metadata: { a: 'b' } }),
      'updateMask',
      /'limits'/,
    ],
    ['a change to a lifetime of 0', CALLS.updateSandbox, inSandbox({ lifetime: '0s' }), 'lifetime', /from 1 s/],
  ])('%s', async (name, call, request, field, says, wrong) => {
    await expectRefused(wire, [name, call, request(), field, says, wrong]);
  });
});

describe('an id of the wrong shape is answered like one that does not exist', () => {
  const shapes = ['nope', 'sbx_', `exe_${'0'.repeat(26)}`, `sbx_${'u'.repeat(26)}`, 'sbx_\0', 'ß', 'x'.repeat(2000)];
  test.each(shapes.map((id) => [JSON.stringify(id).slice(0, 40), id]))('%s', async (name, id) => {
    for (const [call, field, reason] of [
      [CALLS.getSandbox, 'sandboxId', 'SANDBOX_NOT_FOUND'],
      [CALLS.deleteSandbox, 'sandboxId', 'SANDBOX_NOT_FOUND'],
      [CALLS.startProcess, 'sandboxId', 'SANDBOX_NOT_FOUND'],
      [CALLS.getTemplate, 'templateId', 'TEMPLATE_NOT_FOUND'],
    ] as const)
      await expectRefused(wire, [
        name,
        call,
        { [field]: id },
        undefined,
        /no (such )?(sandbox|template)/,
        notFound(reason),
      ]);
    if (!id.startsWith('exe_'))
      await expectRefused(wire, [
        name,
        CALLS.getExecution,
        { executionId: id },
        undefined,
        /no such execution/,
        notFound('EXECUTION_NOT_FOUND'),
      ]);
  });
});

describe('ListSandboxes refuses', () => {
  test.each<Case>([
    ['a negative page size', CALLS.listSandboxes, { pageSize: -1 }, 'pageSize', /from 0 to 1000/],
    ['a page of 1001', CALLS.listSandboxes, { pageSize: 1001 }, 'pageSize', /from 0 to 1000/],
    ['a token that it did not give', CALLS.listSandboxes, { pageToken: '%%%' }, 'pageToken', /not a token/],
    ['a filter without a value', CALLS.listSandboxes, { metadataFilters: ['a'] }, 'metadataFilters', /key=value/],
    ['NUL in a filter', CALLS.listSandboxes, { metadataFilters: ['a=\0'] }, 'metadataFilters', /NUL/],
  ])('%s', async (name, call, request, field, says) => {
    await expectRefused(wire, [name, call, request, field, says]);
  });
});
