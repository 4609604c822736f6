import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { type ClientHttp2Session, type ClientSessionOptions, connect, constants } from 'node:http2';
import { type AddressInfo, createServer, Socket } from 'node:net';
import { gzipSync } from 'node:zlib';
import pino from 'pino';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import type { Patience } from '#libs/grpc/arrival.ts';
import { createClient } from '#libs/grpc/client.ts';
import type { AdmittedCall, PublicMethod } from '#libs/grpc/public-method.ts';
import { createPublicServer } from '#libs/grpc/public-server.ts';
import { type Definition, methodPath } from '#libs/grpc/rpc.ts';
import { FileServiceDefinition, ReadFileRequest, StatFileRequest } from '#proto/drydock/v1/file.ts';

const log = pino({ level: 'silent' });
const descriptors = readFileSync('.build/descriptors.binpb');

type Answer = AdmittedCall['answer'];
type Admit = (call: Parameters<PublicMethod['admit']>[0]) => Promise<void>;

/** A server whose methods of files answer as given; everybody may call, unless `admit` throws. */
async function serve(
  answers: Partial<Record<keyof FileServiceDefinition['methods'], Answer>>,
  { patience, ...hooks }: { patience?: Patience; admit?: Admit; arrived?: (bytes: number) => void } = {},
) {
  const over: string[] = [];
  const methods = Object.entries(answers).map(([key, answer]): PublicMethod => {
    const method = FileServiceDefinition.methods[key as 'statFile'];
    const { requestStream, responseStream } = method as Definition['methods'][string];
    return {
      path: methodPath(FileServiceDefinition, method as never),
      requestStream,
      responseStream,
      async admit(call) {
        await hooks.admit?.(call);
        return {
          arrived: hooks.arrived ?? (() => {}),
          passedOn() {},
          answer: answer!,
          [Symbol.dispose]: () => void over.push(key),
        };
      },
    };
  });
  const grpc = createPublicServer({ methods, descriptors, log, ...(patience ? { patience } : {}) });
  const sockets: Socket[] = [];
  const server = createServer((socket) => {
    sockets.push(socket);
    grpc.inject(socket);
  });
  await once(server.listen(0, '127.0.0.1'), 'listening');
  const { port } = server.address() as AddressInfo;
  const client = createClient(FileServiceDefinition, `127.0.0.1:${port}`, { marksEnd: false });
  return {
    port,
    client,
    over,
    waiting: () => grpc.waiting(sockets[0]!),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      server.close();
      await grpc[Symbol.asyncDispose]();
    },
  };
}

/** A call made by hand: its headers, then what is written to it. */
async function call(session: ClientHttp2Session, path: string, headers: Record<string, string> = {}) {
  const stream = session.request({
    ':method': 'POST',
    ':path': path,
    'content-type': 'application/grpc',
    te: 'trailers',
    ...headers,
  });
  stream.on('error', () => {});
  const ended = new Promise<Record<string, unknown>>((resolve) => {
    let answer: Record<string, unknown> = {};
    stream.on('response', (received) => {
      answer = { ...answer, ...received };
    });
    stream.on('trailers', (received) => {
      answer = { ...answer, ...received };
    });
    stream.on('close', () => resolve({ ...answer, reset: stream.rstCode }));
  });
  stream.resume();
  return { stream, ended };
}

async function connected(port: number) {
  // What Node’s client would not send, others do.
  const lenient: ClientSessionOptions & { strictSingleValueFields: boolean } = { strictSingleValueFields: false };
  const session = connect(`http://127.0.0.1:${port}`, lenient);
  session.on('error', () => {});
  await once(session, 'connect');
  return session;
}

function framed(message: Uint8Array, compressed = false): Buffer {
  const head = Buffer.alloc(5);
  head.writeUInt8(compressed ? 1 : 0, 0);
  head.writeUInt32BE(message.length, 1);
  return Buffer.concat([head, message]);
}

const STAT = '/drydock.v1.FileService/StatFile';
const READ = { sandboxId: 's', path: 'p', offsetBytes: 0, lengthBytes: undefined };
const file = StatFileRequest.encode({ sandboxId: 's', path: 'p' }).finish();

test('each kind of method passes bytes both ways', async () => {
  await using served = await serve({
    statFile: async (request) => {
      expect(StatFileRequest.decode(request as Uint8Array)).toEqual({ sandboxId: 's', path: 'p' });
      return new Uint8Array();
    },
    async *readFile(request) {
      const { path } = ReadFileRequest.decode(request as Uint8Array);
      for (const letter of path) yield Buffer.from([0x0a, 1, letter.charCodeAt(0)]);
    },
    writeFile: async (requests) => {
      let pieces = 0;
      for await (const _ of requests as AsyncIterable<Uint8Array>) pieces += 1;
      expect(pieces).toBe(3);
      return new Uint8Array();
    },
  });
  const { client } = served;
  expect(await client.statFile({ sandboxId: 's', path: 'p' })).toEqual({ file: undefined });
  const read: string[] = [];
  for await (const { data } of client.readFile({ ...READ, path: 'abc' })) read.push(Buffer.from(data).toString());
  expect(read).toEqual(['a', 'b', 'c']);
  async function* pieces() {
    for (let i = 0; i < 3; i++) yield { sandboxId: 's', path: 'p', data: Buffer.alloc(10) } as never;
  }
  await client.writeFile(pieces());
  await expect.poll(() => served.over).toEqual(['statFile', 'readFile', 'writeFile']);
});

test('no byte of a message is taken before the call is admitted', async () => {
  const admitted = Promise.withResolvers<void>();
  let arrived = 0;
  const arrivedBytes = (bytes: number) => {
    arrived += bytes;
  };
  await using served = await serve(
    { statFile: async () => new Uint8Array() },
    { admit: () => admitted.promise, arrived: arrivedBytes },
  );
  const session = await connected(served.port);
  const { stream, ended } = await call(session, STAT);
  let sent = false;
  stream.write(framed(Buffer.alloc(1024 * 1024)), () => {
    sent = true;
  });
  // The answer to a ping comes after all that the server would have let in meanwhile.
  for (let i = 0; i < 5; i++) await new Promise<void>((resolve) => session.ping(() => resolve()));
  expect({ sent, arrived }).toEqual({ sent: false, arrived: 0 });
  admitted.resolve();
  stream.end();
  expect(await ended).toMatchObject({ 'grpc-status': '0' });
  expect(arrived).toBeGreaterThan(1024 * 1024);
  session.destroy();
});

test('bytes that nobody takes are known to wait', async () => {
  const taking = Promise.withResolvers<void>();
  await using served = await serve({
    writeFile: async (requests) => {
      await taking.promise;
      for await (const _ of requests as AsyncIterable<Uint8Array>);
      return new Uint8Array();
    },
  });
  async function* pieces() {
    for (let n = 0; n < 8; n++) yield { sandboxId: 's', path: 'p', data: Buffer.alloc(256 * 1024) } as never;
  }
  const written = served.client.writeFile(pieces());
  await expect.poll(served.waiting).toBeGreaterThan(100_000);
  taking.resolve();
  await written;
  expect(served.waiting()).toBe(0);
});

test('a call that is refused is told so without its message, and ended though it goes on sending', async () => {
  await using served = await serve(
    { statFile: async () => new Uint8Array() },
    { admit: () => Promise.reject(new DrydockError('CREDENTIAL_INVALID', 'no credential')) },
  );
  await expect(served.client.statFile({ sandboxId: '', path: '' })).rejects.toMatchObject({
    reason: 'CREDENTIAL_INVALID',
    message: 'no credential',
  });
  const session = await connected(served.port);
  const { stream, ended } = await call(session, STAT);
  stream.write(framed(file).subarray(0, 3));
  expect(await ended).toMatchObject({ 'grpc-status': '16', reset: constants.NGHTTP2_NO_ERROR });
  session.destroy();
});

test('a call for whose bytes there is no room is refused while they arrive', async () => {
  let room = 300_000;
  const arrived = (bytes: number) => {
    room -= bytes;
    if (room < 0) throw new DrydockError('RATE_LIMITED', 'too many bytes', { retryAfterMs: 1_000 });
  };
  await using served = await serve({ statFile: async () => new Uint8Array() }, { arrived });
  await expect(served.client.statFile({ sandboxId: 'x'.repeat(1_000_000), path: '' })).rejects.toMatchObject({
    reason: 'RATE_LIMITED',
    details: { retryAfterMs: 1_000 },
  });
  await expect.poll(() => served.over).toEqual(['statFile']);
});

test('every authorization header of a call is seen, though Node keeps the first alone', async () => {
  const seen: unknown[] = [];
  await using served = await serve(
    { statFile: async () => new Uint8Array() },
    { admit: async ({ metadata }) => void seen.push(metadata.get('authorization')) },
  );
  const session = await connected(served.port);
  for (const authorization of [['Bearer a'], ['Bearer a', 'Bearer b', '']]) {
    const stream = session.request([
      ...[':method', 'POST', ':path', STAT, 'content-type', 'application/grpc', 'te', 'trailers'],
      ...authorization.flatMap((value) => ['authorization', value]),
    ]);
    stream.resume().end(framed(file));
    await once(stream, 'close');
  }
  expect(seen).toEqual(['Bearer a', 'Bearer a, Bearer b, ']);
  session.destroy();
});

test.each<[string, (stream: { write(bytes: Buffer): void }) => void]>([
  ['no byte of its message', () => {}],
  ['half of its message', (stream) => stream.write(framed(file).subarray(0, 8))],
  ['its message and no end', (stream) => stream.write(framed(file))],
])('a call with %s is ended', async (_, write) => {
  await using served = await serve(
    { statFile: async () => new Uint8Array() },
    { patience: { firstByteMs: 200, messageMs: 300 } },
  );
  const session = await connected(served.port);
  const { stream, ended } = await call(session, STAT);
  write(stream);
  expect(await ended).toMatchObject({ 'grpc-status': '3' });
  session.destroy();
});

test('compressed messages are refused', async () => {
  await using served = await serve({ statFile: async () => new Uint8Array() });
  const session = await connected(served.port);
  const { stream, ended } = await call(session, STAT, { 'grpc-encoding': 'gzip' });
  stream.end(framed(gzipSync(Buffer.alloc(10_000_000)), true));
  expect(await ended).toMatchObject({ 'grpc-status': '12' });
  session.destroy();
});

test('connections without a call end, those of nobody sooner', async () => {
  await using served = await serve(
    { statFile: async () => new Uint8Array() },
    { patience: { firstCallMs: 200, connectionIdleMs: 600 } },
  );
  const silent = new Socket().connect(served.port, '127.0.0.1');
  silent.write('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  silent.resume();
  const session = await connected(served.port);
  const { stream, ended } = await call(session, STAT);
  stream.end(framed(file));
  expect(await ended).toMatchObject({ 'grpc-status': '0' });
  await once(silent, 'close');
  expect(session.destroyed).toBe(false);
  await once(session, 'close');
});

test('an answer that nobody takes is given up', async () => {
  const over = Promise.withResolvers<void>();
  await using served = await serve(
    {
      async *readFile() {
        try {
          for (;;) yield Buffer.alloc(64 * 1024);
        } finally {
          over.resolve();
        }
      },
    },
    { patience: { idleMs: 300 } },
  );
  const session = await connected(served.port);
  const { stream } = await call(session, '/drydock.v1.FileService/ReadFile');
  stream.end(framed(ReadFileRequest.encode(READ).finish()));
  stream.pause();
  await over.promise;
  session.destroy();
});

test('calls that are cancelled one after the other end their connection', async () => {
  const never = Promise.withResolvers<Uint8Array>();
  let begun = 0;
  await using served = await serve({
    statFile: () => {
      begun += 1;
      return never.promise;
    },
  });
  const session = await connected(served.port);
  for (let calls = 0; !session.destroyed && calls < 1_000; calls++) {
    const { stream } = await call(session, STAT);
    stream.end(framed(file));
    await expect.poll(() => begun > calls || session.destroyed, { interval: 1 }).toBe(true);
    stream.close(constants.NGHTTP2_CANCEL);
  }
  expect(session.destroyed).toBe(true);
  never.resolve(new Uint8Array());
});
