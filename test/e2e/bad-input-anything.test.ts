import fc from 'fast-check';
import { describe, expect, inject, test } from 'vitest';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS } from '../support/wire.ts';

const MiB = 1024 * 1024;

const platform = inject('platform');
const { wire } = await tenantOfFile(platform, 3);

const CREATE = ['POST', '/v1/sandboxes'] as const;
const RUN = ['POST', '/v1/executions:run'] as const;

describe('whatever comes, no defect is found', () => {
  const METHODS = Object.values(CALLS).filter((call) => call !== CALLS.writeFile);
  const known = (reason: string) => reason !== 'INTERNAL' && reason !== '';

  test('of any bytes as a gRPC message', async () => {
    const bytes = fc.oneof(
      fc.uint8Array({ maxLength: 64 }),
      fc
        .string({ maxLength: 40 })
        .map((name) => Buffer.concat([Buffer.from([0x0a, Buffer.byteLength(name)]), Buffer.from(name)])),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...METHODS), bytes, async ({ grpc }, message) => {
        const { code, reason } = await wire.grpcBytes(grpc, message);
        expect(code === 0 || known(reason), `${code} ${reason}`).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('of any JSON as a body', async () => {
    const json = fc.oneof(
      fc.jsonValue(),
      fc.dictionary(
        fc.constantFrom(
          'template',
          'language',
          'source',
          'files',
          'limits',
          'lifetime',
          'metadata',
          'environment',
          'comparison',
        ),
        fc.jsonValue({ maxDepth: 3 }),
      ),
    );
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(CREATE, RUN), json, async (route, value) => {
        const { code, reason } = await wire.httpBytes(route, JSON.stringify(value));
        expect(code === 0 || known(reason), `${code} ${reason}`).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  test('of any target', async () => {
    const piece = fc.constantFrom(
      '/v1',
      '/sandboxes',
      '/executions',
      ':run',
      '/files',
      '/',
      '//',
      '..',
      '%2e%2e',
      '%00',
      '%ff',
      '%',
      '?',
      '&',
      '=',
      'pageSize',
      'sbx_1',
      ':',
      '*',
      ';',
      "'",
      '\\',
      '~',
      'ä',
    );
    await fc.assert(
      fc.asyncProperty(
        fc.constantFrom('GET', 'POST', 'PUT', 'DELETE', 'PATCH'),
        fc.array(piece, { maxLength: 8 }),
        async (verb, pieces) => {
          const target = encodeURI(`/${pieces.join('')}`).replaceAll('%25', '%');
          const { code, reason } = await wire.httpBytes([verb, target], verb === 'GET' ? undefined : '{}');
          expect(code === 0 || known(reason), `${verb} ${target}: ${code} ${reason}`).toBe(true);
        },
      ),
      { numRuns: 500 },
    );
  });

  test('of any number as a limit: outside of its range it is refused, on both transports and for both uses', async () => {
    const ranges = {
      memoryBytes: [64 * MiB, 8192 * MiB],
      processes: [16, 4096],
      diskBytes: [MiB, 4096 * MiB],
    } as const;
    const outside = ([min, max]: readonly [number, number], most: number) =>
      fc.oneof(fc.integer({ min: -most, max: min - 1 }), fc.integer({ min: max + 1, max: most }));
    const limit = fc.oneof(
      fc.tuple(fc.constant('memoryBytes'), outside(ranges.memoryBytes, Number.MAX_SAFE_INTEGER)),
      fc.tuple(fc.constant('diskBytes'), outside(ranges.diskBytes, Number.MAX_SAFE_INTEGER)),
      fc.tuple(fc.constant('processes'), outside(ranges.processes, 2 ** 31 - 1)),
      fc.tuple(
        fc.constant('cpus'),
        fc
          .double()
          .filter((cpus) => !(cpus >= 0.05 && cpus <= 16))
          .map((cpus) => (Number.isFinite(cpus) ? cpus : String(cpus))),
      ),
    );
    const uses = [
      [CALLS.createSandbox, { template: 'python' }],
      [CALLS.runCode, { language: 'python', source: '1' }],
    ] as const;
    await fc.assert(
      fc.asyncProperty(limit, fc.constantFrom(...uses), async ([name, value], [call, request]) => {
        const json = { ...request, limits: { [name]: value } };
        for (const refusal of [await wire.http(call, json), await wire.grpc(call, json)])
          expect(refusal).toMatchObject({
            reason: 'INVALID_FIELD',
            fields: expect.arrayContaining([`limits.${name}`]),
          });
      }),
      { numRuns: 200 },
    );
  });
});
