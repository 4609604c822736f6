import { gzipSync } from 'node:zlib';
import { type Attack, busy, flood, frame, framed, grpcCall, httpCall, idle, PREFACE, type Target } from './target.ts';

const MiB = 1024 * 1024;
const BODY_BYTES = 15 * MiB;

const DATA = 0;
const HEADERS = 1;
const RST_STREAM = 3;
const SETTINGS = 4;
const PING = 6;
const CONTINUATION = 9;
const END_HEADERS = 4;

/** Literal header fields without indexing, as HPACK writes them. */
function headerBlock(headers: Record<string, string>): Buffer {
  const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)]);
  return Buffer.concat(Object.entries(headers).flatMap(([name, value]) => [Buffer.from([0]), text(name), text(value)]));
}

const CALL = {
  ':method': 'POST',
  ':scheme': 'http',
  ':path': '/drydock.v1.TemplateService/ListTemplates',
  'content-type': 'application/grpc',
  te: 'trailers',
};
const CALL_HEADERS = headerBlock(CALL);

const SUBMIT = 'drydock.v1.ExecutionService/BatchSubmitExecutions';
const RUN = 'drydock.v1.ExecutionService/RunCode';
const LIST = 'drydock.v1.ExecutionService/ListExecutions';
const WRITE = 'drydock.v1.FileService/WriteFile';
const filled = (bytes: number, pattern: number[] | string) => Buffer.alloc(bytes, Buffer.from(pattern as string));
/** A field of bytes, as long as its content. */
const field = (number: number, content: Uint8Array) => {
  const length: number[] = [];
  for (let rest = content.length; ; rest = Math.floor(rest / 128)) {
    length.push(rest < 128 ? rest : (rest % 128) | 0x80);
    if (rest < 128) break;
  }
  return Buffer.concat([Buffer.from([number * 8 + 2, ...length]), content]);
};

const grpcBody =
  (
    method: string,
    body: () => Uint8Array,
    headers: Record<string, string> = {},
    port: 'grpcPort' | 'httpPort' = 'grpcPort',
  ): Attack =>
  (target) => {
    const bytes = body();
    return busy(target, 1, (tally) => grpcCall(target, tally, method, [bytes], { headers, port: target[port] }));
  };

const json =
  (body: () => Uint8Array, path = '/v1/executions:batch'): Attack =>
  (target) => {
    const bytes = body();
    return busy(target, 1, (tally) => httpCall(target, tally, path, [bytes], { length: bytes.length }));
  };

/** Pieces of a body, one every 100 ms, which is never whole. */
function* pieces(bytes: number, piece: number): Iterable<Uint8Array> {
  for (let sent = 0; sent < bytes; sent += piece) yield Buffer.alloc(piece, 0x20);
}

function list(open: string, item: string, close: string, bytes: number): Buffer {
  const items = Math.floor((bytes - open.length - close.length) / item.length);
  return Buffer.concat([Buffer.from(open), filled(items * item.length, item).subarray(0, -1), Buffer.from(close)]);
}

/** Of callers without a credential. */
export const OF_NOBODY: Record<string, Attack> = {
  'batch of millions of members': grpcBody(SUBMIT, () => framed(filled(19.8 * MiB, [0x0a, 0]))),
  'the same on the shared port': grpcBody(SUBMIT, () => framed(filled(19.8 * MiB, [0x0a, 0])), {}, 'httpPort'),
  '60 calls that send 10 MiB and never end': (target) =>
    busy(target, 60, (tally) =>
      grpcCall(target, tally, SUBMIT, [framed(Buffer.alloc(0), { length: 15 * MiB }), ...pieces(10 * MiB, 64 * 1024)], {
        ends: false,
      }),
    ),
  'health watched 2,000 times': (target) =>
    busy(target, 2_000, (tally) => grpcCall(target, tally, 'grpc.health.v1.Health/Watch', [framed(Buffer.alloc(0))])),
  '500 connections that send nothing': (target) => idle(target, target.grpcPort, Buffer.alloc(0), 500),
  '500 halves of a preface': (target) => idle(target, target.grpcPort, PREFACE.subarray(0, 12), 500),
  '500 halves of a preface on the shared port': (target) => idle(target, target.httpPort, PREFACE.subarray(0, 12), 500),
  '500 prefaces': (target) => idle(target, target.grpcPort, Buffer.concat([PREFACE, frame(SETTINGS, 0, 0)]), 500),
  '500 HEADERS without END_HEADERS': (target) =>
    idle(
      target,
      target.grpcPort,
      Buffer.concat([PREFACE, frame(SETTINGS, 0, 0), frame(HEADERS, 0, 1, CALL_HEADERS)]),
      500,
    ),
  'rapid reset': (target) => flood(target, target.grpcPort, frame(SETTINGS, 0, 0), (turn) => resets(turn)),
  'CONTINUATION flood': (target) =>
    flood(target, target.grpcPort, Buffer.concat([frame(SETTINGS, 0, 0), frame(HEADERS, 0, 1, CALL_HEADERS)]), () =>
      Buffer.concat(
        Array.from({ length: 100 }, () => frame(CONTINUATION, 0, 1, headerBlock({ 'x-more': 'y'.repeat(100) }))),
      ),
    ),
  'SETTINGS flood': (target) =>
    flood(target, target.grpcPort, Buffer.alloc(0), () =>
      Buffer.concat(Array<Buffer>(1_000).fill(frame(SETTINGS, 0, 0))),
    ),
  'PING flood': (target) =>
    flood(target, target.grpcPort, frame(SETTINGS, 0, 0), () =>
      Buffer.concat(Array<Buffer>(1_000).fill(frame(PING, 0, 0, Buffer.alloc(8)))),
    ),
  'empty DATA flood': (target) =>
    flood(
      target,
      target.grpcPort,
      Buffer.concat([frame(SETTINGS, 0, 0), frame(HEADERS, END_HEADERS, 1, CALL_HEADERS)]),
      () => Buffer.concat(Array<Buffer>(1_000).fill(frame(DATA, 0, 1))),
    ),
  'wrong keys': (target) =>
    busy({ ...target, credential: `dk_${'x'.repeat(43)}` }, 20, (tally) =>
      httpCall({ ...target, credential: `dk_${Math.random()}${'x'.repeat(20)}` }, tally, '/v1/executions:run', [], {
        length: 0,
      }),
    ),
  'JSON that nobody may send': json(() => list('{"requests":[', '{},', ']}', BODY_BYTES)),
};

/** Of a tenant with a valid key. */
export const OF_A_TENANT: Record<string, Attack> = {
  'batch of millions of members': grpcBody(SUBMIT, () => framed(filled(19.8 * MiB, [0x0a, 0]))),
  'millions of entries of a map': grpcBody(RUN, () => framed(filled(15 * MiB, [0x4a, 0]))),
  'millions of items in one value': grpcBody(LIST, () => framed(field(3, filled(15 * MiB, [1])))),
  'millions of unknown fields': grpcBody(RUN, () => framed(filled(15 * MiB, [0xf8, 0x07, 0]))),
  'one field millions of times': grpcBody(RUN, () => framed(filled(15 * MiB, [0x22, 0]))),
  'groups in groups': grpcBody(RUN, () => framed(filled(15 * MiB, [0x0b]))),
  'millions of empty messages': (target) =>
    busy(target, 1, (tally) => grpcCall(target, tally, WRITE, endless(filled(64_000, [0, 0, 0, 0, 0])))),
  'a message of a KiB that is 19 MiB': grpcBody(
    RUN,
    () => framed(gzipSync(Buffer.alloc(19 * MiB)), { compressed: true }),
    {
      'grpc-encoding': 'gzip',
    },
  ),
  'a message of 4 GiB': grpcBody(RUN, () => framed(Buffer.alloc(MiB), { length: 0xffff_ffff })),
  '60 calls that send 10 MiB and never end': (target) =>
    busy(target, 60, (tally) =>
      grpcCall(target, tally, SUBMIT, [framed(Buffer.alloc(0), { length: 15 * MiB }), ...pieces(10 * MiB, 64 * 1024)], {
        ends: false,
      }),
    ),
  '60 bodies that send 10 MiB and never end': (target) =>
    busy(target, 60, (tally) =>
      httpCall(target, tally, '/v1/executions:run', pieces(10 * MiB, 64 * 1024), { length: 15 * MiB }),
    ),
  'a message in frames of one byte': (target) =>
    flood(
      target,
      target.grpcPort,
      Buffer.concat([
        frame(SETTINGS, 0, 0),
        frame(HEADERS, END_HEADERS, 1, headerBlock({ ...CALL, authorization: `Bearer ${target.credential}` })),
        frame(DATA, 0, 1, framed(Buffer.alloc(0), { length: 15 * MiB })),
      ]),
      () => Buffer.concat(Array<Buffer>(1_000).fill(frame(DATA, 0, 1, Buffer.from([0])))),
    ),
  'a program of 15 MiB': grpcBody(RUN, () => framed(field(4, filled(15 * MiB, 'x')))),
  'JSON: millions of empty objects': json(() => list('{"requests":[', '{},', ']}', BODY_BYTES)),
  'JSON: millions of items': json(() => list('{"command":[', '"",', ']}', BODY_BYTES), '/v1/executions:run'),
  'JSON: millions of numbers': json(() => list('{"states":[', '1,', ']}', BODY_BYTES), '/v1/executions:run'),
  'JSON: one number of millions of digits': json(
    () => list('{"floatTolerance":1', '0', '0}', BODY_BYTES),
    '/v1/executions:run',
  ),
  'JSON: millions of keys': json(() => keys(), '/v1/executions:run'),
  'JSON: one key a million times': json(() => list('{', '"source":"",', '}', BODY_BYTES), '/v1/executions:run'),
  'JSON: millions of arrays in arrays': json(() => filled(BODY_BYTES, '['), '/v1/executions:run'),
  'JSON: objects in objects': json(() => filled(BODY_BYTES, '{"a":'), '/v1/executions:run'),
  'JSON: millions of escapes': json(() => list('{"source":"', '\\u0041', '"}', BODY_BYTES), '/v1/executions:run'),
  'JSON: a program of 15 MiB': json(
    () => list('{"language":"python","source":"', 'xé', '"}', BODY_BYTES),
    '/v1/executions:run',
  ),
  'JSON: a million chunks of one byte': (target) =>
    busy(target, 20, (tally) =>
      httpCall(target, tally, '/v1/executions:run', endless(filled(60_000, '1\r\n \r\n')), { areChunks: true }),
    ),
  'JSON: one byte at a time': (target) =>
    busy(target, 20, (tally) => httpCall(target, tally, '/v1/executions:run', pieces(MiB, 1))),
  'a query of a thousand parameters': (target) =>
    busy(target, 4, (tally) =>
      httpCall(target, tally, `/v1/executions:run?${'a.b.c=1&'.repeat(1_500)}`, [], { length: 0 }),
    ),
};

function* endless(bytes: Uint8Array): Iterable<Uint8Array> {
  for (;;) yield bytes;
}

/** A hundred calls, each cancelled at once. */
function resets(turn: number): Buffer {
  const frames: Buffer[] = [];
  for (let i = 0; i < 100; i++) {
    const stream = (turn * 100 + i) * 2 + 1;
    frames.push(
      frame(HEADERS, END_HEADERS, stream, CALL_HEADERS),
      frame(RST_STREAM, 0, stream, Buffer.from([0, 0, 0, 8])),
    );
  }
  return Buffer.concat(frames);
}

function keys(): Buffer {
  const members: string[] = [];
  for (let i = 0, bytes = 0; bytes < BODY_BYTES - 20; i++) {
    const member = `"k${i}":""`;
    members.push(member);
    bytes += member.length + 1;
  }
  return Buffer.from(`{"environment":{${members.join()}}}`);
}

export type { Target };
