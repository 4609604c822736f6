import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { Agent, request } from 'node:http';
import { connect as connectHttp2 } from 'node:http2';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { text } from 'node:stream/consumers';
import pino from 'pino';
import { expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { GetTemplateResponse, TemplateServiceDefinition } from '#proto/drydock/v1/template.ts';
import { readContract } from './contract.ts';
import { readDescriptors } from './descriptors.ts';
import { createGateway } from './gateway.ts';
import { createTranscoder } from './http/transcoding.ts';
import { createInFlight } from './in-flight.ts';
import { openPorts } from './ports.ts';
import { createRateLimit } from './rate-limit.ts';
import { createWaste } from './waste.ts';

const DESCRIPTORS = '.build/descriptors.binpb';
const descriptors = readDescriptors(readFileSync(DESCRIPTORS));
const contract = readContract(descriptors);
const MANY = 1_000_000_000;
const ANSWER = GetTemplateResponse.encode({ template: undefined }).finish();

type Forward = Parameters<typeof createGateway>[0]['forward'];

/** Both ports of a gateway that knows everybody, and answers as `forward` does. */
async function open(forward: Forward = async () => ANSWER, log = pino({ level: 'silent' })) {
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
      transcoder,
      waste,
      ready: async () => {},
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
    await Promise.race([callers, expect.poll(fewest).toBeGreaterThan(50)]);
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
