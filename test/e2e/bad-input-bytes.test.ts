import { describe, expect, inject, test } from 'vitest';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS, framed, messageOf, refusalOf } from '../support/wire.ts';

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 3);

const MALFORMED = { code: 3, reason: 'MALFORMED_REQUEST' };
const CREATE = ['POST', '/v1/sandboxes'] as const;
const RUN = ['POST', '/v1/executions:run'] as const;

describe('a gRPC message that is not one is refused', () => {
  const name = '\x0a\x06python';
  test.each([
    ['text that is not UTF-8', Buffer.from(`${name}\x32\x08\x0a\x01a\x12\x03\xff\xfe\xfd`, 'latin1')],
    ['a text that is longer than the message', Buffer.from('\x0a\x7fpython', 'latin1')],
    ['a field cut short', Buffer.from(`${name}\x12`, 'latin1')],
    ['a wire type that there is not', Buffer.from(`${name}\x0f`, 'latin1')],
    ['a number of 11 bytes', Buffer.from(`${name}\x1a\x0c\x18${'\xff'.repeat(10)}\x01`, 'latin1')],
  ])('%s', async (_, bytes) => {
    expect(await wire.grpcBytes(CALLS.createSandbox.grpc, bytes)).toMatchObject({
      ...MALFORMED,
      message: expect.stringContaining('not the message'),
    });
  });

  test('as a later message of a stream, and nothing of the stream is kept', async () => {
    const { id: sandboxId } = await tenant.api.createSandbox();
    const stream = wire.open(CALLS.writeFile.grpc);
    const first = messageOf(CALLS.writeFile.grpc, { sandboxId, path: 'a' });
    stream.end(Buffer.concat([framed(first), framed(Buffer.from('\x0a\x7f'))]));
    expect(await refusalOf(stream)).toMatchObject(MALFORMED);
    await expect(tenant.api.readFile(sandboxId, 'a')).rejects.toMatchObject({ reason: 'FILE_NOT_FOUND' });
    await tenant.api.deleteSandbox(sandboxId);
  });

  test('an empty stream', async () => {
    const stream = wire.open(CALLS.writeFile.grpc);
    stream.end();
    expect(await refusalOf(stream)).toMatchObject({ ...MALFORMED, message: expect.stringMatching(/before its first/) });
  });
});

test('an unknown field over gRPC is passed over, as protobuf says', async () => {
  const bytes = Buffer.concat([
    messageOf(CALLS.getTemplate.grpc, { templateId: 'python' }),
    Buffer.from('\x98\x06\x01', 'latin1'),
  ]);
  expect(await wire.grpcBytes(CALLS.getTemplate.grpc, bytes)).toMatchObject({ code: 0 });
});

describe('JSON that is not the request is refused, and the field named', () => {
  test.each<[string, string | Buffer, string[], RegExp]>([
    ['no JSON', '{"template":', [], /not JSON/],
    ['two values', '{}{}', [], /not JSON/],
    ['a list', '[]', [], /./],
    ['null', 'null', [], /./],
    ['a text', '"python"', [], /./],
    ['not UTF-8', Buffer.from('{"template":"\xff"}', 'latin1'), [], /not valid UTF-8/],
    ['half of a surrogate pair', '{"template":"python","metadata":{"a":"\\ud800"}}', ['metadata'], /./],
    ['an unknown field', '{"template":"python","lifetme":"5s"}', ['lifetme'], /is unknown/],
    ['an unknown field inside', '{"template":"python","limits":{"memory":1}}', ['limits.memory'], /is unknown/],
    ['a number for a text', '{"template":7}', ['template'], /./],
    ['a text for a number', '{"template":"python","limits":{"cpus":"many"}}', ['limits.cpus'], /./],
    ['a fraction of a byte', '{"template":"python","limits":{"memoryBytes":67108864.5}}', ['limits.memoryBytes'], /./],
    [
      'a number of more than 64 bits',
      '{"template":"python","limits":{"memoryBytes":1e30}}',
      ['limits.memoryBytes'],
      /./,
    ],
    [
      'a number of more than 32 bits',
      '{"template":"python","limits":{"processes":4294967296}}',
      ['limits.processes'],
      /./,
    ],
    ['a list for an object', '{"template":"python","limits":[]}', ['limits'], /./],
    ['a duration without its unit', '{"template":"python","lifetime":"5"}', ['lifetime'], /./],
    ['a duration that is a number', '{"template":"python","lifetime":5}', ['lifetime'], /./],
    ['a duration of a million years', '{"template":"python","lifetime":"99999999999999s"}', ['lifetime'], /./],
    ['a label that is a number', '{"template":"python","metadata":{"a":1}}', ['metadata'], /./],
    [
      'an object nested ten thousand deep',
      `${'{"limits":'.repeat(10_000)}1${'}'.repeat(10_000)}`,
      [],
      /nested more than 32 deep/,
    ],
  ])('%s', async (_, body, fields, says) => {
    const refusal = await wire.httpBytes(CREATE, body);
    expect(refusal).toMatchObject({ status: 400, ...MALFORMED, fields, message: expect.stringMatching(says) });
    expect(refusal.message.length).toBeLessThan(500);
  });

  test('two of what excludes each other', async () => {
    const body = '{"language":"python","files":[{"name":"a.py","text":"","data":""}]}';
    expect(await wire.httpBytes(RUN, body)).toMatchObject({ status: 400, ...MALFORMED, fields: ['files[0]'] });
  });

  test('an enum value that there is not', async () => {
    for (const value of ['"WORM"', '99', '-1'])
      expect(await wire.httpBytes(RUN, `{"language":"python","source":"1","comparison":${value}}`)).toMatchObject({
        status: 400,
        ...MALFORMED,
      });
  });
});

describe('a query that cannot be read is refused', () => {
  test.each<[string, string, string[], RegExp]>([
    ['percent-encoding that is cut short', '?pageToken=%2', [], /percent-encoded UTF-8/],
    ['percent-encoding that is not UTF-8', '?pageToken=%ff', [], /percent-encoded UTF-8/],
    ['an unknown parameter', '?page=2', ['page'], /is unknown/],
    ['a parameter twice', '?pageSize=1&pageSize=2', ['pageSize'], /more than once/],
    ['a parameter by both of its names', '?pageSize=1&page_size=2', ['pageSize', 'page_size'], /more than once/],
    ['a number that is a text', '?pageSize=ten', ['pageSize'], /./],
    ['a number that is a fraction', '?pageSize=1.5', ['pageSize'], /./],
    ['a state that there is not', '?states=SLEEPING', ['states'], /./],
    ['a state by a number that there is not', '?states=99', ['states[0]'], /stands for no value/],
    ['1001 parameters', `?${'states=RUNNING&'.repeat(1001)}`, [], /more than 1000/],
  ])('%s', async (_, query, fields, says) => {
    const refusal = await wire.httpBytes(['GET', `/v1/sandboxes${query}`]);
    expect(refusal).toMatchObject({ status: 400, ...MALFORMED, message: expect.stringMatching(says) });
    expect(fields).toEqual(expect.arrayContaining(refusal.fields));
    if (fields.length > 0) expect(refusal.fields).toHaveLength(1);
  });

  test('in a path', async () => {
    const refusal = await wire.httpBytes(['GET', '/v1/sandboxes/%ff']);
    expect(refusal).toMatchObject({ status: 400, ...MALFORMED, message: expect.stringContaining('%ff') });
  });

  test('a field that the body holds', async () => {
    expect(await wire.httpBytes(['POST', '/v1/sandboxes?template=python'], '{}')).toMatchObject({
      status: 400,
      ...MALFORMED,
      fields: ['template'],
    });
  });

  test('a path without a route', async () => {
    expect(await wire.httpBytes(['GET', '/v2/sandboxes'])).toMatchObject({
      status: 404,
      code: 5,
      reason: 'ROUTE_NOT_FOUND',
    });
  });
});
