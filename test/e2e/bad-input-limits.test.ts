import { once } from 'node:events';
import { type ClientRequest, type OutgoingHttpHeaders, request } from 'node:http';
import { connect } from 'node:net';
import { text } from 'node:stream/consumers';
import { describe, expect, inject, test } from 'vitest';
import { tenantOfFile } from '../support/tenants.ts';
import { CALLS, connectWire, framed, messageOf, type Refusal, refusalOf, refusalOfJson } from '../support/wire.ts';

const MiB = 1024 * 1024;

const platform = inject('platform');
const { tenant, wire } = await tenantOfFile(platform, 3, ['CANCELLED', 'FINISHED']);
const authorization = `Bearer ${tenant.secret}`;

const MALFORMED = { code: 3, reason: 'MALFORMED_REQUEST' };
const TOO_LARGE = { code: 8, reason: 'REQUEST_TOO_LARGE' };
const RUN = ['POST', '/v1/executions:run'] as const;

/** A request whose body is still to be sent. */
function begin([verb, path]: readonly [string, string], headers: OutgoingHttpHeaders = {}): ClientRequest {
  const url = new URL(platform.httpUrl);
  const call = request({
    host: url.hostname,
    port: url.port,
    method: verb,
    path,
    headers: { authorization, ...headers },
  });
  call.on('error', () => {});
  return call;
}

async function answerOf(call: ClientRequest) {
  const [response] = await once(call, 'response');
  const { code, reason } = refusalOfJson(JSON.parse(await text(response)));
  return { status: response.statusCode, code, reason };
}

describe('what is too large is refused', () => {
  test('a body that says so beforehand, before it is sent', async () => {
    const call = begin(RUN, { 'content-length': 16 * MiB + 1 });
    call.flushHeaders();
    expect(await answerOf(call)).toEqual({ status: 413, ...TOO_LARGE });
    call.destroy();
  });

  test('a body in chunks', async () => {
    const call = begin(RUN, { 'transfer-encoding': 'chunked' });
    const answered = answerOf(call);
    call.end(Buffer.alloc(16 * MiB + 1, ' '));
    expect(await answered).toEqual({ status: 413, ...TOO_LARGE });
  });

  test('a gRPC message', async () => {
    expect(await wire.grpcBytes(CALLS.runCode.grpc, Buffer.alloc(21 * MiB))).toMatchObject(TOO_LARGE);
  });

  test('a gRPC message that only says so', async () => {
    const stream = wire.open(CALLS.runCode.grpc);
    stream.write(Buffer.from([0, 0xff, 0xff, 0xff, 0xff]));
    expect(await refusalOf(stream)).toMatchObject(TOO_LARGE);
  });

  test('a piece of a file', async () => {
    const { id } = await tenant.api.createSandbox();
    const stream = wire.open(CALLS.writeFile.grpc);
    const path = messageOf(CALLS.writeFile.grpc, { sandboxId: id, path: 'a' });
    const data = messageOf(CALLS.writeFile.grpc, { data: Buffer.alloc(MiB + 1).toString('base64') });
    stream.end(Buffer.concat([framed(path), framed(data)]));
    expect(await refusalOf(stream)).toMatchObject({ code: 3, reason: 'INVALID_FIELD', fields: ['data'] });
    await expect(tenant.api.readFile(id, 'a')).rejects.toMatchObject({ reason: 'FILE_NOT_FOUND' });
    await tenant.api.deleteSandbox(id);
  });

  // Over gRPC it is the connection that is given up, and with it no other client's.
  const overOwnConnection = async (headers: OutgoingHttpHeaders) => {
    using own = connectWire(platform, tenant.secret);
    return own.grpc(CALLS.getTemplate, { templateId: 'python' }, headers).catch(() => TOO_LARGE);
  };

  test('headers of 64 KiB', async () => {
    const large = { 'x-a': 'x'.repeat(64 * 1024) };
    expect(await wire.httpBytes(['GET', '/v1/templates'], undefined, large)).toMatchObject({
      status: 431,
      ...TOO_LARGE,
    });
    expect((await overOwnConnection(large)).code).not.toBe(0);
  });

  test('thousands of headers', async () => {
    const headers = (count: number) =>
      Object.fromEntries(Array.from({ length: count }, (_, index) => [`a${index}`, '']));
    for (const count of [200, 3_000])
      expect(await wire.httpBytes(['GET', '/v1/templates'], undefined, headers(count))).toMatchObject(TOO_LARGE);
    expect((await overOwnConnection(headers(3_000))).code).not.toBe(0);
  });

  test('a target of 64 KiB', async () => {
    expect(await wire.httpBytes(['GET', `/v1/sandboxes/${'x'.repeat(64 * 1024)}`])).toMatchObject({
      status: 431,
      ...TOO_LARGE,
    });
  });
});

describe('a body that is encoded is refused', () => {
  test.each(['gzip', 'br', 'deflate', 'nonsense'])('%s', async (encoding) => {
    const refusal = await wire.httpBytes(RUN, '{"language":"python","source":"1"}', { 'content-encoding': encoding });
    expect(refusal).toMatchObject({ ...MALFORMED, message: expect.stringContaining(encoding) });
  });

  test('a gRPC message with an unknown compression', async () => {
    const stream = wire.open(CALLS.getTemplate.grpc, { 'grpc-encoding': 'nonsense' });
    const message = framed(messageOf(CALLS.getTemplate.grpc, { templateId: 'python' }));
    message[0] = 1;
    stream.end(message);
    expect((await refusalOf(stream)).code).toBe(12);
  });
});

/** Asks again while there is no room, as a client should. */
async function placed<T extends Refusal>(ask: () => Promise<T>): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (answer.retryAfterSeconds === undefined) return answer;
    process.stderr.write(`asked again: ${JSON.stringify(answer)}\n`);
  }
}

describe('a deadline that has passed', () => {
  const PASSED = { code: 4, reason: 'DEADLINE_TOO_SHORT' };
  const slow = { language: 'python', source: 'import time; time.sleep(5)' };

  test.each(['0m', '1n', '1u'])('%s is refused', async (timeout) => {
    expect(await wire.http(CALLS.runCode, slow, { 'grpc-timeout': timeout })).toMatchObject({ status: 504, ...PASSED });
    expect(await wire.grpc(CALLS.runCode, slow, { 'grpc-timeout': timeout })).toMatchObject(PASSED);
  });

  test('meanwhile ends the program', async () => {
    const inTime = { 'grpc-timeout': '700m' };
    const answers = [
      placed(() => wire.http(CALLS.runCode, slow, inTime)),
      placed(() => wire.grpc(CALLS.runCode, slow, inTime)),
    ];
    for (const answer of await Promise.all(answers)) expect(answer, JSON.stringify(answer)).toMatchObject(PASSED);
  });

  test.each(['', '5', 'm', '-1S', '1.5S', '123456789S', '1s'])("'%s' is no deadline", async (timeout) => {
    const refusal = await wire.http(CALLS.getTemplate, { templateId: 'python' }, { 'grpc-timeout': timeout });
    expect(refusal).toMatchObject({ status: 400, ...MALFORMED, fields: ['grpc-timeout'] });
  });
});

describe('a client that sends slowly', () => {
  test('a byte at a time is heard out', async () => {
    const body = Buffer.from('{"language":"python","source":"print(1)"}');
    const call = begin(RUN, { 'content-length': body.length });
    const answered = once(call, 'response');
    for (const byte of body) {
      call.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    call.end();
    expect(JSON.parse(await text((await answered)[0]))).toMatchObject({ verdict: 'ACCEPTED' });
    const stream = wire.open(CALLS.getTemplate.grpc);
    for (const byte of framed(messageOf(CALLS.getTemplate.grpc, { templateId: 'python' }))) {
      stream.write(Buffer.from([byte]));
      await new Promise((resolve) => setImmediate(resolve));
    }
    stream.end();
    expect(await refusalOf(stream)).toMatchObject({ code: 0 });
  });

  test('headers that never end are cut off', { timeout: 30_000 }, async () => {
    const { hostname, port } = new URL(platform.httpUrl);
    const socket = connect(Number(port), hostname);
    socket.write('GET /v1/templates HTTP/1.1\r\nHost: a\r\nX-A: ');
    const answer = await text(socket);
    expect(answer).toMatch(/^HTTP\/1\.1 408 /);
    expect(answer).toContain('MALFORMED_REQUEST');
  });

  test('what is not HTTP is told so', async () => {
    const { hostname, port } = new URL(platform.httpUrl);
    const socket = connect(Number(port), hostname);
    socket.end('\x16\x03\x01 hello\r\n\r\n');
    expect(await text(socket)).toMatch(/^HTTP\/1\.1 400 .*MALFORMED_REQUEST/s);
  });

  const credential = `Authorization: Bearer ${tenant.secret}`;
  test.each([
    ['without a Host', [credential], /^HTTP\/1\.1 400 .*the Host header is missing/s],
    [
      'that expects what nobody meets',
      ['Host: a', credential, 'Expect: x'],
      /^HTTP\/1\.1 400 .*cannot meet 'Expect: x'/s,
    ],
    ['with two credentials', ['Host: a', credential, credential], /^HTTP\/1\.1 401 .*CREDENTIAL_INVALID/s],
  ])('a request %s is told so in JSON', async (_, headers, answer) => {
    const { hostname, port } = new URL(platform.httpUrl);
    const socket = connect(Number(port), hostname);
    socket.write(`${['GET /v1/templates HTTP/1.1', ...headers, 'Connection: close'].join('\r\n')}\r\n\r\n`);
    expect(await text(socket)).toMatch(answer);
  });
});

test('an empty file is not too small', async () => {
  const { verdict, stdout } = await tenant.api.runCode({
    language: 'python',
    files: [{ name: 'main.py', content: { $case: 'text', value: '' } }],
  });
  expect({ verdict, stdout }).toEqual({ verdict: 'ACCEPTED', stdout: '' });
});
