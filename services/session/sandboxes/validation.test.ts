import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { CreateSandboxRequest, UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { catalog, limits, many, refusal, seconds } from '../validation-fixture.ts';
import { checkChange, checkSandbox } from './validation.ts';

const MiB = 1024 * 1024;

const sandbox = (request: Partial<CreateSandboxRequest>) =>
  checkSandbox(CreateSandboxRequest.create({ template: 'python', ...request }), catalog);
const change = (request: Partial<UpdateSandboxRequest>) => checkChange(UpdateSandboxRequest.create(request));

describe('a sandbox is refused', () => {
  test.each<[string, Partial<CreateSandboxRequest>, string[]]>([
    ['without a template', { template: '' }, ['template']],
    ['with a lifetime of nothing', { lifetime: seconds(0) }, ['lifetime']],
    ['with a lifetime in the past', { lifetime: seconds(-1) }, ['lifetime']],
    ['with a lifetime of less than a second', { lifetime: seconds(0, 999_999_999) }, ['lifetime']],
    ['with a lifetime of more than a day', { lifetime: seconds(86_400, 1) }, ['lifetime']],
    ['with a long request id', { requestId: 'r'.repeat(129) }, ['requestId']],
    ['with a NUL in its request id', { requestId: 'a\0' }, ['requestId']],
    ['with a variable of a bad name', { environment: { 'A-B': '' } }, ['environment']],
    ['with a variable without a name', { environment: { '': 'x' } }, ['environment']],
    ['with a NUL in a variable', { environment: { A: '\0' } }, ['environment.A']],
    ['with too many variables', { environment: many(129, (i) => [`V${i}`, '']) }, ['environment']],
    ['with too large an environment', { environment: { A: 'x'.repeat(32 * 1024) } }, ['environment']],
    ['with too many labels', { metadata: many(33, (i) => [`k${i}`, '']) }, ['metadata']],
    ['with a label without a key', { metadata: { '': 'x' } }, ['metadata']],
    ['with a long label key', { metadata: { ['k'.repeat(65)]: '' } }, ['metadata']],
    ['with a long label value', { metadata: { k: 'v'.repeat(257) } }, ['metadata.k']],
    ['with a NUL in a label key', { metadata: { 'a\0': '' } }, ['metadata']],
    ['with a NUL in a label value', { metadata: { k: '\0' } }, ['metadata.k']],
    [
      'with limits of executions',
      { limits: limits({ wallTime: seconds(1), cpuTime: seconds(1), outputBytes: 1 }) },
      ['limits.wallTime', 'limits.cpuTime', 'limits.outputBytes'],
    ],
    [
      'with more disk than half of its memory',
      { limits: limits({ memoryBytes: 64 * MiB, diskBytes: 33 * MiB }) },
      ['limits.diskBytes'],
    ],
  ])('%s', (_, request, fields) => {
    expect(refusal(() => sandbox(request))).toEqual(['INVALID_FIELD', fields]);
  });

  test('with a template that is not there, in a short answer', () => {
    expect(refusal(() => sandbox({ template: 'nope' }))).toEqual(['TEMPLATE_NOT_FOUND', []]);
    expect(() => sandbox({ template: 'x'.repeat(1_000_000) })).toThrow(/^.{1,200}$/);
  });

  test.each(['memoryBytes', 'processes', 'diskBytes', 'cpus'] as const)(
    'with %s that is not a sensible number',
    (name) => {
      const bad = fc.oneof(
        fc.constantFrom(
          0,
          -0,
          -1,
          Number.NaN,
          Number.POSITIVE_INFINITY,
          Number.NEGATIVE_INFINITY,
          Number.MAX_SAFE_INTEGER,
          1.5e-9,
        ),
        fc.double({ max: 0 }),
      );
      fc.assert(
        fc.property(bad, (value) => {
          expect(refusal(() => sandbox({ limits: limits({ [name]: value }) }))).toEqual([
            'INVALID_FIELD',
            expect.arrayContaining([`limits.${name}`]),
          ]);
        }),
      );
    },
  );
});

describe('a change of a sandbox is refused', () => {
  test.each<[string, Partial<UpdateSandboxRequest>, string[]]>([
    ['that changes nothing', {}, ['updateMask']],
    ['of another field', { updateMask: ['template'] }, ['updateMask']],
    ['of a lifetime that is not given', { updateMask: ['lifetime'] }, ['lifetime']],
    ['to a lifetime in the past', { lifetime: seconds(-5) }, ['lifetime']],
    ['with a long request id', { metadata: { a: 'b' }, requestId: 'r'.repeat(129) }, ['requestId']],
    ['to labels that could not be made', { metadata: { k: '\0' } }, ['metadata.k']],
  ])('%s', (_, request, fields) => {
    expect(refusal(() => change(request))).toEqual(['INVALID_FIELD', fields]);
  });
});
