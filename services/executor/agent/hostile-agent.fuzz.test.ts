import { once } from 'node:events';
import type { ServerHttp2Stream } from 'node:http2';
import { gzipSync } from 'node:zlib';
import { BinaryWriter, WireType } from '@bufbuild/protobuf/wire';
import fc from 'fast-check';
import { ErrorInfo } from 'nice-grpc-error-details';
import { Status as RpcStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { DrydockError, STATUS_OF } from '#libs/errors.ts';
import { fuzzTest } from '#libs/fuzz-fixture.ts';
import type { CallOptions } from '#libs/grpc/rpc.ts';
import {
  CellServiceDefinition,
  ControlServiceDefinition,
  FilesystemServiceDefinition,
  ListDirectoryResponse,
  ListResponse,
  OpenCell,
  ProcessServiceDefinition,
  StartRequest,
  StartResponse,
  TunnelServiceDefinition,
} from '#proto/drydock/agent/v1/agent.ts';
import { openCell } from './cell.ts';
import { fromAgent } from './errors.ts';
import { type Answer, frameOf, respond, startHostileAgent } from './hostile-agent-fixture.ts';
import { startProcess } from './processes.ts';

const MiB = 1024 * 1024;
const DEADLINE_MS = 300;
// Where the answer is to be read to its end, also by a machine that does other things.
const PATIENT_MS = 20_000;
// A call ends within its deadline, and what the machine is late.
const LATE_MS = 3_000;
const FIELDS = 10;

const escaped: unknown[] = [];
const note = (error: unknown) => escaped.push(error);
let link: Awaited<ReturnType<typeof startHostileAgent>>;

beforeAll(async () => {
  process.on('uncaughtException', note);
  process.on('unhandledRejection', note);
  link = await startHostileAgent();
});
afterEach(async () => {
  // What a handler of events throws comes to light after the call has failed.
  await new Promise(setImmediate);
  expect(escaped.splice(0)).toEqual([]);
});
afterAll(async () => {
  await link[Symbol.asyncDispose]();
  process.off('uncaughtException', note);
  process.off('unhandledRejection', note);
});

type Method = (request: unknown, options: CallOptions) => Promise<unknown> | AsyncIterable<unknown>;
type Call = { name: string; make: (signal: AbortSignal, deadlineMs: number) => Promise<unknown> };

/** Every call that the executor makes, each with a request that says nothing. */
function callsOf(open: typeof link): Call[] {
  const services = [
    [ControlServiceDefinition, open.control],
    [ProcessServiceDefinition, open.processes],
    [FilesystemServiceDefinition, open.files],
    [CellServiceDefinition, open.cells],
    [TunnelServiceDefinition, open.tunnels],
  ] as const;
  const calls = services.flatMap(([definition, client]) =>
    Object.entries(definition.methods).map(([name, method]) => ({
      name: method.name,
      make: async (signal: AbortSignal, deadlineMs: number) => {
        const request = method.requestType.create({});
        async function* requests() {
          yield request;
        }
        const call = (client as unknown as Record<string, Method>)[name]!;
        return drain(call(method.requestStream ? requests() : request, { deadlineMs, signal }));
      },
    })),
  );
  return [
    ...calls,
    { name: 'startProcess', make: (signal) => drain(startProcess(open.processes, StartRequest.create({}), signal)) },
    {
      name: 'openCell',
      make: async (signal) => {
        const cell = await openCell(open.cells, OpenCell.create({}), signal);
        await cell.next();
        return cell.close();
      },
    },
  ];
}

async function drain(answer: Promise<unknown> | AsyncIterable<unknown>): Promise<unknown> {
  if (!(Symbol.asyncIterator in answer)) return answer;
  for await (const _ of answer);
  return undefined;
}

/** How a call ended against an answer: its error, or nothing. It fails where the error has no type, or comes too late. */
async function endOf({ name, make }: Call, answer: Answer, deadlineMs = DEADLINE_MS): Promise<unknown> {
  await reachAgent();
  const callsBefore = link.agent.calls;
  link.agent.answer = answer;
  const began = performance.now();
  const signal = AbortSignal.timeout(deadlineMs);
  const error = await make(signal, deadlineMs).then(
    () => undefined,
    (reason: unknown) => reason,
  );
  expect(performance.now() - began, name).toBeLessThan(deadlineMs + LATE_MS);
  expect(link.agent.calls, `${name} did not reach the agent`).toBeGreaterThan(callsBefore);
  if (error === undefined || (signal.aborted && isAbort(error, signal))) return undefined;
  expect(error, `${name} ended with ${String(error)}`).toBeInstanceOf(DrydockError);
  const ended = AbortSignal.abort(error);
  const told = (await fromAgent(error, ended)) as DrydockError;
  expect(Object.keys(STATUS_OF), name).toContain(told.reason);
  return told;
}

/** Waits until the connection is there, which the call before may have broken: the agent answers as it should, once. */
async function reachAgent(): Promise<void> {
  link.agent.answer = (stream) => {
    respond(stream);
    stream.end(frameOf(new Uint8Array()));
  };
  const ping = () => link.control.ping({}, { deadlineMs: DEADLINE_MS });
  const reached = () =>
    ping().then(
      () => true,
      () => false,
    );
  await expect.poll(reached, { timeout: PATIENT_MS, interval: 10 }).toBe(true);
}

const isAbort = (error: unknown, signal: AbortSignal) =>
  error === signal.reason || (error as Error).name === 'AbortError';

const call = (name: string): Call => callsOf(link).find((each) => each.name === name)!;

describe('an answer that', () => {
  const details = (info: Partial<ErrorInfo>): Buffer => {
    const value = ErrorInfo.encode(ErrorInfo.fromPartial(info)).finish();
    const detail = { typeUrl: `type.googleapis.com/${ErrorInfo.$type}`, value };
    return Buffer.from(RpcStatus.encode(RpcStatus.fromPartial({ code: 3, details: [detail] })).finish());
  };
  const failing = (code: string, bytes: Buffer, message = 'x') => {
    const trailers = {
      'grpc-status': code,
      'grpc-message': message,
      'grpc-status-details-bin': bytes.toString('base64'),
    };
    return (stream: ServerHttp2Stream) => {
      respond(stream, trailers);
      stream.end();
    };
  };

  test.each([
    ['is no message', Buffer.from([0x0a, 0x05, 0xff])],
    [
      'holds a detail that is none',
      Buffer.from(
        '1a2d0a27747970652e676f6f676c65617069732e636f6d2f676f6f676c652e7270632e4572726f72496e666f1202ffff',
        'hex',
      ),
    ],
    ['ends a group that never began', Buffer.from([0x1c])],
  ])('has details of which one %s ends in an error', async (_, bytes) => {
    for (const name of ['Ping', 'Read', 'Write', 'Run'])
      expect(await endOf(call(name), failing('3', bytes))).toMatchObject({ reason: 'INTERNAL' });
  });

  test.each(['constructor', '__proto__', 'toString', 'SANDBOX_NOT_FOUND', 'CREDENTIAL_INVALID', ''])(
    'gives the reason %o, which is none of an agent’s, is an internal error',
    async (reason) => {
      const answer = failing('3', details({ domain: 'drydock', reason }));
      expect(await endOf(call('Ping'), answer)).toMatchObject({ reason: 'INTERNAL', message: 'internal error' });
    },
  );

  test('has more items than any agent’s has is refused before they are made', async () => {
    const bytes = Buffer.alloc(8 * MiB - 16, Buffer.from([0x0a, 0x00]));
    const answer: Answer = (stream) => {
      respond(stream);
      stream.end(frameOf(bytes));
    };
    for (const name of ['ListDirectory', 'List', 'ProbeNetwork']) {
      const before = process.memoryUsage().heapUsed;
      expect(await endOf(call(name), answer, PATIENT_MS)).toMatchObject({ reason: 'INTERNAL' });
      expect(process.memoryUsage().heapUsed - before, name).toBeLessThan(50 * MiB);
    }
  });

  test('has as many processes and words as an agent’s can have is taken', async () => {
    const process = {
      processId: 'prc_1',
      pid: 1,
      command: Array(500).fill('a'),
      startUnixMicroseconds: 1,
      detached: true,
    };
    const list = ListResponse.fromPartial({ processes: Array(1_000).fill(process) });
    link.agent.answer = (stream) => {
      respond(stream);
      stream.end(frameOf(ListResponse.encode(list).finish()));
    };
    expect((await link.processes.list({}, { deadlineMs: PATIENT_MS })).processes).toHaveLength(1_000);
  });

  test('is as large as an agent’s can be is taken', async () => {
    const file = { name: 'n'.repeat(255), path: 'p'.repeat(4_000), linkTarget: 't'.repeat(2_000), mode: 0o644 };
    const listing = ListDirectoryResponse.fromPartial({ files: Array(1_001).fill(file), more: true });
    link.agent.answer = (stream) => {
      respond(stream);
      stream.end(frameOf(ListDirectoryResponse.encode(listing).finish()));
    };
    const { files } = await link.files.listDirectory({ path: '', after: '', limit: 0 }, { deadlineMs: PATIENT_MS });
    expect(files).toHaveLength(1_001);
  });

  test.each([
    ['grows when it is decompressed', frameOf(gzipSync(Buffer.alloc(256 * MiB)), { compressed: 1 }), 'gzip'],
    ['is compressed in no way', frameOf(Buffer.from('nonsense'), { compressed: 1 }), 'gzip'],
    ['says that it is compressed by nothing', frameOf(Buffer.from('nonsense'), { compressed: 1 }), 'identity'],
    ['is larger than a message may be', frameOf(Buffer.alloc(9 * MiB)), 'identity'],
    ['says that it has 4 GiB', frameOf(Buffer.alloc(9), { length: 2 ** 32 - 1 }), 'identity'],
  ])('%s is an error', async (_, frame, encoding) => {
    for (const name of ['Ping', 'Read', 'Run']) {
      const error = await endOf(
        call(name),
        (stream) => {
          respond(stream, undefined, { 'grpc-encoding': encoding });
          stream.end(frame);
        },
        PATIENT_MS,
      );
      expect(error, name).toBeInstanceOf(DrydockError);
    }
  });

  test('never ends, is ended by its call, and takes no memory', async () => {
    const event = { $case: 'stdout' as const, value: { offset: 0, data: Buffer.alloc(64 * 1024) } };
    const frame = frameOf(StartResponse.encode({ event }).finish());
    const flood: Answer = async (stream) => {
      respond(stream);
      while (!stream.closed)
        if (!stream.write(frame)) await Promise.race([once(stream, 'drain'), once(stream, 'close')]);
    };
    const before = process.memoryUsage().rss;
    for (const name of ['Start', 'startProcess', 'Read', 'Watch']) await endOf(call(name), flood);
    expect(process.memoryUsage().rss - before).toBeLessThan(200 * MiB);
  });

  test('says nothing is over at the deadline', async () => {
    for (const each of callsOf(link)) await endOf(each, () => {});
  });
});

/** Bytes that are a message of some kind: low numbers of fields, so that those of every answer are met. */
const { message } = fc.letrec<{ message: Uint8Array; field: Field }>((tie) => ({
  message: fc.array(tie('field'), { maxLength: 6 }).map(encodeFields),
  field: fc.record({
    number: fc.integer({ min: 1, max: FIELDS }),
    value: fc.oneof(
      { depthSize: 'small' },
      fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
      fc.constantFrom(0n, -1n, 2n ** 53n, -(2n ** 63n), 2n ** 63n - 1n),
      fc.uint8Array({ maxLength: 40 }),
      tie('message'),
    ),
  }),
}));
type Field = { number: number; value: bigint | Uint8Array };

function encodeFields(fields: Field[]): Uint8Array {
  const writer = new BinaryWriter();
  for (const { number, value } of fields)
    if (typeof value === 'bigint') writer.tag(number, WireType.Varint).int64(value);
    else writer.tag(number, WireType.LengthDelimited).bytes(value);
  return writer.finish();
}

const visible = fc.string({ unit: 'grapheme-ascii', maxLength: 40 }).map((text) => text.trim());
const trailers = fc.record(
  {
    'grpc-status': fc.oneof(fc.integer({ min: -1, max: 20 }).map(String), visible),
    'grpc-message': fc.oneof(visible, fc.constantFrom('%', '%ff', '%00%0a')),
    'grpc-status-details-bin': fc.oneof(
      message.map((bytes) => Buffer.from(bytes).toString('base64')),
      visible,
    ),
    'drydock-agent-start-unix-nanos': visible,
    'drydock-agent-end-unix-nanos': fc.oneof(visible, fc.bigInt().map(String)),
    'odd-bin': visible,
    odd: visible,
  },
  { requiredKeys: [] },
);
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ kind: fc.constant('message' as const), bytes: message }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('bytes' as const), bytes: fc.uint8Array({ maxLength: 40 }) }) },
);
const ending = fc.oneof(
  { weight: 6, arbitrary: fc.constant('end' as const) },
  fc.constantFrom('reset' as const, 'goaway' as const, 'break' as const, 'silence' as const),
);

fuzzTest(
  'a hostile agent cannot harm its executor',
  300,
  fc.asyncProperty(fc.nat(), fc.array(step, { maxLength: 5 }), trailers, ending, async (which, steps, last, how) => {
    const calls = callsOf(link);
    await endOf(calls[which % calls.length]!, (stream) => {
      respond(stream, { ...last });
      for (const { kind, bytes } of steps) stream.write(kind === 'message' ? frameOf(bytes) : bytes);
      if (how === 'end') stream.end();
      if (how === 'reset') stream.close(which % 14);
      if (how === 'goaway') stream.session?.goaway(which % 14);
      if (how === 'break') stream.session?.destroy();
    });
    await new Promise(setImmediate);
    expect(escaped.splice(0)).toEqual([]);
  }),
);
