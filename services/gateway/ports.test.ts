import { X509Certificate } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdtemp, writeFile } from 'node:fs/promises';
import { Agent, request } from 'node:http';
import { type ClientHttp2Session, connect as connectHttp2 } from 'node:http2';
import { request as getSecurely } from 'node:https';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { createAuthority } from '#libs/certificates/authority.ts';
import { createClient } from '#libs/grpc/client.ts';
import type { Logger } from '#libs/log.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { GetTemplateResponse, TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { createGateway } from './gateway.ts';
import { parseOrigin } from './http/cors.ts';
import { createTranscoder } from './http/transcoding.ts';
import { createInFlight } from './in-flight.ts';
import { openPorts } from './ports.ts';
import { createRateLimit } from './rate-limit.ts';
import { openTlsFront, type TlsFront } from './tls.ts';
import { createWaste } from './waste.ts';

const DESCRIPTORS = '.build/descriptors.binpb';
const descriptors = readDescriptors(readFileSync(DESCRIPTORS));
const contract = readContract(descriptors);
const SILENT: Logger = pino({ level: 'silent' });
const MANY = 1_000_000_000;
const ANSWER = GetTemplateResponse.encode({ template: undefined }).finish();

type Forward = Parameters<typeof createGateway>[0]['forward'];

type More = { corsOrigins?: string[]; log?: Logger; tls?: TlsFront };

/** Both ports of a gateway that knows everybody, and answers as `forward` does. */
async function open(forward: Forward = async () => ANSWER, { corsOrigins = [], log = SILENT, tls }: More = {}) {
  const gateway = createGateway({
    authenticate: async () => Caller.create({ organizationId: 'org_1', apiKeyId: 'key_1', scopes: ['sandboxes'] }),
    revocations: { begin: () => ({ signal: new AbortController().signal, [Symbol.dispose]() {} }) },
    rateLimit: createRateLimit({ perSecond: MANY, burst: MANY }),
    inFlight: createInFlight({ process: MANY, organization: MANY, connection: MANY }),
    contract,
    forward,
  });
  await using parts = new AsyncDisposableStack();
  const waste = parts.use(createWaste());
  const transcoder = parts.use(createTranscoder(DESCRIPTORS));
  const ports = parts.use(
    await openPorts({
      address: '127.0.0.1:0',
      httpAddress: '127.0.0.1:0',
      gateway,
      descriptors,
      contract,
      samples: {},
      transcoder,
      waste,
      ready: async () => {},
      corsOrigins,
      tls,
      log,
    }),
  );
  const kept = parts.move();
  return { ...ports, stop: () => ports[Symbol.asyncDispose](), [Symbol.asyncDispose]: () => kept.disposeAsync() };
}

const templatesAt = (port: number) => createClient(TemplateServiceDefinition, `127.0.0.1:${port}`, { marksEnd: false });
const templateId = 'python';

test('one port answers gRPC and HTTP, and the other gRPC alone', async () => {
  await using ports = await open();
  for (const port of [ports.httpPort, ports.port]) {
    using client = templatesAt(port);
    expect(await client.getTemplate({ templateId })).toEqual({ template: undefined });
  }
  const answer = await fetch(`http://127.0.0.1:${ports.httpPort}/v1/templates/python`);
  expect({ status: answer.status, body: await answer.json() }).toEqual({ status: 200, body: {} });
  await expect(fetch(`http://127.0.0.1:${ports.port}/healthz`)).rejects.toThrow();
});

test('the preface may come byte by byte', async () => {
  await using ports = await open();
  const session = connectHttp2(`http://127.0.0.1:${ports.httpPort}`, {
    createConnection: () => dribbling(connect(ports.httpPort, '127.0.0.1')),
  });
  await once(session, 'remoteSettings');
  session.destroy();
});

/** Writes the first 24 bytes one at a time. */
function dribbling(socket: Socket): Socket {
  socket.setNoDelay(true);
  const write = socket.write.bind(socket);
  let first = 24;
  Object.assign(socket, {
    write(bytes: Buffer, ...rest: never[]) {
      const slow = Buffer.from(bytes).subarray(0, first);
      first -= slow.length;
      for (const byte of slow) write(Buffer.of(byte));
      return write(Buffer.from(bytes).subarray(slow.length), ...rest);
    },
  });
  return socket;
}

const REQUEST_ID = /^req_[0-9a-z]{26}$/;

describe('the id of a request', () => {
  test.each([
    ['an answer', '/v1/templates/python'],
    ['an error', '/v1/sandboxes/x'],
    ['no route', '/nowhere'],
    ['a probe', '/healthz'],
    ['a document', '/openapi.json'],
  ])('is in %s over HTTP', async (_, path) => {
    await using ports = await open(({ key }) =>
      key === 'getTemplate' ? Promise.resolve(ANSWER) : Promise.reject(new Error('no')),
    );
    const answer = await fetch(`http://127.0.0.1:${ports.httpPort}${path}`);
    expect(answer.headers.get('x-request-id')).toMatch(REQUEST_ID);
  });

  test('is in what the parser of HTTP refused', async () => {
    await using ports = await open();
    const socket = connect(ports.httpPort, '127.0.0.1').end('no HTTP\r\n\r\n');
    expect(await text(socket)).toMatch(/\r\nx-request-id: req_/);
  });

  test('is in answers and errors over gRPC, in the log, and with the owner of the call', async () => {
    const lines: { requestId?: string; msg: string }[] = [];
    const log = pino({ level: 'debug' }, { write: (line: string) => void lines.push(JSON.parse(line)) });
    const asked: unknown[] = [];
    await using ports = await open(
      async (_method, _request, { caller }) => {
        asked.push(caller.requestId);
        if (asked.length > 1) throw new Error('broken');
        return ANSWER;
      },
      { log },
    );
    const session = connectHttp2(`http://127.0.0.1:${ports.httpPort}`);
    const ids = [await idOverGrpc(session), await idOverGrpc(session)];
    session.destroy();
    expect(ids).toEqual([expect.stringMatching(REQUEST_ID), expect.stringMatching(REQUEST_ID)]);
    expect(asked).toEqual(ids);
    await expect
      .poll(() => lines.flatMap(({ requestId, msg }) => (requestId ? [`${requestId} ${msg}`] : [])))
      .toEqual([`${ids[0]} call ended`, `${ids[1]} unexpected error`, `${ids[1]} call ended`]);
  });
});

/** The id that one call was answered with. */
async function idOverGrpc(session: ClientHttp2Session): Promise<unknown> {
  const path = `/${TemplateServiceDefinition.fullName}/GetTemplate`;
  const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' };
  const stream = session.request(headers).end(Buffer.alloc(5)).resume();
  const [answer] = await once(stream, 'response');
  return answer['x-request-id'];
}

describe('pages of other origins', () => {
  const origin = 'https://app.example.com';
  const preflight = {
    origin,
    'access-control-request-method': 'POST',
    'access-control-request-headers': 'authorization',
  };

  test('may not read answers by default', async () => {
    await using ports = await open();
    const url = `http://127.0.0.1:${ports.httpPort}/v1/templates/python`;
    const answers = [
      await fetch(url, { headers: { origin } }),
      await fetch(url, { method: 'OPTIONS', headers: preflight }),
    ];
    expect(answers.map(({ status }) => status)).toEqual([200, 405]);
    for (const { headers } of answers)
      expect([...headers.keys()].filter((name) => /^access-control/.test(name))).toEqual([]);
  });

  test('may where they are configured, and no others', async () => {
    await using ports = await open(undefined, { corsOrigins: [origin] });
    const url = `http://127.0.0.1:${ports.httpPort}/v1/templates/python`;
    const asked = await fetch(url, { method: 'OPTIONS', headers: preflight });
    expect(asked.status).toBe(204);
    expect(Object.fromEntries(asked.headers)).toMatchObject({
      'access-control-allow-origin': origin,
      'access-control-allow-headers': expect.stringContaining('authorization'),
      'access-control-allow-methods': expect.stringContaining('POST'),
      vary: 'origin',
    });
    const answer = await fetch(url, { headers: { origin } });
    expect(answer.headers.get('access-control-allow-origin')).toBe(origin);
    expect(answer.headers.get('access-control-expose-headers')).toContain('x-request-id');
    for (const other of ['https://app.example.com.evil.org', 'http://app.example.com', 'null'])
      expect((await fetch(url, { headers: { origin: other } })).headers.get('access-control-allow-origin')).toBeNull();
  });

  test.each(['*', 'https://app.example.com/', 'app.example.com', 'ftp://app.example.com'])('are not %s', (text) => {
    expect(() => parseOrigin(text)).toThrow();
  });
});

test('a document is sent once to a client that keeps it', async () => {
  await using ports = await open();
  const url = `http://127.0.0.1:${ports.httpPort}/openapi.json`;
  const first = await fetch(url);
  await first.json();
  const etag = first.headers.get('etag')!;
  const answer = async (known: string) => {
    const { status, headers } = await fetch(url, { headers: { 'if-none-match': known } });
    return { status, etag: headers.get('etag') };
  };
  expect(await answer(`"other", W/${etag}`)).toEqual({ status: 304, etag });
  expect(await answer('"other"')).toEqual({ status: 200, etag });
});

describe('with a certificate of its own', () => {
  test('one port answers both protocols by TLS, and none without', async () => {
    const issued = await issue();
    await using tls = await openTlsFront(issued.files, SILENT);
    await using ports = await open(undefined, { tls });
    const at = { host: '127.0.0.1', port: ports.httpPort, ca: issued.ca };
    const sent = getSecurely({ ...at, path: '/v1/templates/python', agent: false }).end();
    const [answer] = await once(sent, 'response');
    expect({ status: answer.statusCode, body: await text(answer) }).toEqual({ status: 200, body: '{}\n' });
    for (const port of [ports.httpPort, ports.port]) {
      const session = connectHttp2(`https://127.0.0.1:${port}`, { ca: issued.ca });
      expect(await idOverGrpc(session)).toMatch(REQUEST_ID);
      expect(session.alpnProtocol).toBe('h2');
      session.destroy();
      await expect(fetch(`http://127.0.0.1:${port}/healthz`)).rejects.toThrow();
    }
    const silent = connect(ports.httpPort, '127.0.0.1');
    await once(silent, 'connect');
    await ports.stop();
    silent.destroy();
  });

  test('a renewed one holds for new connections, and one without its key does not', async () => {
    const issued = await issue();
    await using tls = await openTlsFront(issued.files, SILENT, 20);
    await using ports = await open(undefined, { tls });
    const old = await certificateAt(ports.httpPort);
    expect(new X509Certificate(issued.certificate).fingerprint256).toBe(old);
    const other = await issue();
    await writeFile(issued.files.certificateFile, other.certificate);
    expect(await certificateAt(ports.httpPort)).toBe(old);
    await writeFile(issued.files.keyFile, other.key);
    const { fingerprint256 } = new X509Certificate(other.certificate);
    await expect.poll(() => certificateAt(ports.httpPort), { timeout: 10_000 }).toBe(fingerprint256);
  });
});

/** A certificate for 127.0.0.1, in files. */
async function issue() {
  const authority = await createAuthority('test authority');
  const { certificate, key } = await authority.issue('CN=gateway', { ip: ['127.0.0.1'] });
  const directory = await mkdtemp(join(tmpdir(), 'drydock-tls-'));
  const files = { certificateFile: join(directory, 'tls.crt'), keyFile: join(directory, 'tls.key') };
  await writeFile(files.certificateFile, certificate);
  await writeFile(files.keyFile, key);
  return { files, certificate, key, ca: authority.certificate };
}

/** The fingerprint of the certificate that a port shows. */
async function certificateAt(port: number): Promise<string> {
  const socket = connectTls({ port, host: '127.0.0.1', rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const { fingerprint256 } = socket.getPeerCertificate();
  socket.destroy();
  return fingerprint256;
}

test('a gateway that stops ends connections without a call at once, of either protocol and of none', async () => {
  await using ports = await open();
  using client = templatesAt(ports.httpPort);
  await client.getTemplate({ templateId });
  const agent = new Agent({ keepAlive: true });
  await get(ports.httpPort, agent);
  const silent = connect(ports.httpPort, '127.0.0.1');
  await once(silent, 'connect');
  const began = performance.now();
  await ports.stop();
  expect(performance.now() - began).toBeLessThan(5_000);
  agent.destroy();
});

test('a gateway that stops takes no more connections of gRPC', async () => {
  await using ports = await open();
  const agent = new Agent({ keepAlive: true });
  // While clients of HTTP are told, its port is open.
  await get(ports.httpPort, agent);
  const began = performance.now();
  const stopped = ports.stop();
  const session = connectHttp2(`http://127.0.0.1:${ports.httpPort}`).on('error', () => {});
  await once(session, 'close');
  await stopped;
  expect(performance.now() - began).toBeLessThan(5_000);
  agent.destroy();
});

test('of calls that go on while gateways are replaced none is dropped, over gRPC and HTTP', async () => {
  const forward: Forward = async () => {
    await new Promise((resolve) => setTimeout(resolve, 3));
    return ANSWER;
  };
  let ports = await open(forward);
  await using proxy = await startProxy(() => ports.httpPort);
  using client = templatesAt(proxy.port);
  const agent = new Agent({ keepAlive: true });
  let over = false;
  const tally = { grpc: 0, http: 0 };
  const grpc = async () => {
    for (; !over; tally.grpc++) await client.getTemplate({ templateId });
  };
  const http = async () => {
    for (; !over; tally.http++) expect(await get(proxy.port, agent)).toBe(200);
  };
  const callers = Promise.all([grpc, http].flatMap((caller) => [caller(), caller(), caller()]));
  callers.catch(() => {});
  for (let n = 0; n < 5; n++) {
    const before = { ...tally };
    const fewest = () => Math.min(tally.grpc - before.grpc, tally.http - before.http);
    await Promise.race([callers, expect.poll(fewest, { timeout: 20_000 }).toBeGreaterThan(50)]);
    const old = ports;
    ports = await open(forward);
    await old[Symbol.asyncDispose]();
  }
  over = true;
  await callers;
  agent.destroy();
  await ports[Symbol.asyncDispose]();
});

async function get(port: number, agent: Agent): Promise<number> {
  const sent = request({ port, host: '127.0.0.1', path: '/v1/templates/python', agent }).end();
  const [response] = await once(sent, 'response');
  await text(response);
  return response.statusCode;
}

/** Hands each new connection to the gateway of the moment. */
async function startProxy(target: () => number) {
  const server = createServer((socket) => {
    const upstream = connect(target(), '127.0.0.1');
    socket.setNoDelay(true);
    upstream.setNoDelay(true);
    socket.on('error', () => upstream.destroy()).pipe(upstream);
    upstream.on('error', () => socket.destroy()).pipe(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.close();
    },
  };
}
