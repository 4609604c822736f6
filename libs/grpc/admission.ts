import { once } from 'node:events';
import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type handleUnaryCall,
  type Metadata as RawMetadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
  type ServerReadableStream,
  type ServerUnaryCall,
  type ServerWritableStream,
  type UntypedHandleCall,
} from '@grpc/grpc-js';
import { AbortError } from 'abort-controller-x';
import { Metadata } from 'nice-grpc-common';
import { DrydockError } from '#libs/errors.ts';
import { type CallSpan, startCallSpan } from '#libs/grpc/call-span.ts';
import { encodingOf, explainOwnStatus, streamOf } from '#libs/grpc/interceptors.ts';
import { type Observation, observeCall } from '#libs/grpc/observation.ts';
import type { Call } from '#libs/grpc/rpc.ts';
import { statusOf } from '#libs/grpc/status.ts';
import type { Logger } from '#libs/log.ts';

/** Of memory, for each piece that a message comes in: one of a byte costs a hundred. */
const PIECE_BYTES = 256;
/** About what the headers of a call take on the wire. */
const HEADER_BYTES = 256;
/** Pieces of less than `PIECE_BYTES` that a call may send at once, and in a second: more are a flood, which ends its connection. */
const SMALL_PIECES = { burst: 10_000, perSecond: 5_000 };
/** How long a client that was answered may go on sending. */
const LINGER_MS = 1_000;

/** A method that is open to callers who are not known. Its messages are bytes. */
export type PublicMethod = {
  path: string;
  requestStream: boolean;
  responseStream: boolean;
  /** Decides on a call by its metadata, before a byte of a message is read. Throws the error to answer with. */
  admit(call: Call): Promise<AdmittedCall>;
};

/** A call that may be made; disposed of when it is over. */
export type AdmittedCall = Disposable & {
  /** Counts bytes of requests as they arrive. Throws the error to answer with if there is no room for them. */
  arrived(bytes: number): void;
  /** Bytes that arrived are no longer kept. */
  passedOn(bytes: number): void;
  /** One message or a stream of them, each way as the method has it. */
  answer(request: Uint8Array | AsyncIterable<Uint8Array>): Promise<Uint8Array> | AsyncIterable<Uint8Array>;
};

export type AdmissionOptions = {
  log: Logger;
  firstByteMs: number;
  messageMs: number;
  idleMs: number;
  /** Hears of the peer of every call. */
  onCall: (peer: string) => void;
  onUse: (peer: string, bytes: number) => void;
};

/** A call between its headers and its last byte. */
type OpenCall = {
  stream: ServerHttp2Stream;
  /** What the pieces cost that have arrived since a message was passed on. */
  pieces: { bytes: number };
  admitted: AdmittedCall;
  signal: AbortSignal;
  observation: Observation;
  span: CallSpan;
};

/**
 * An interceptor that lets no byte of a call be read before `method.admit` has agreed, and handlers for what it let in. A call
 * that is refused, stalls or finds no room is answered with the reason.
 */
export function createAdmission(methods: readonly PublicMethod[], options: AdmissionOptions) {
  const byPath = new Map(methods.map((method) => [method.path, method]));
  const open = new WeakMap<RawMetadata, OpenCall>();
  const interceptor: ServerInterceptor = ({ path }, call) =>
    intercepted(byPath.get(path)!, call, options, (metadata, opened) => open.set(metadata, opened));
  return { interceptor, handlerOf: (method: PublicMethod) => handlerOf(method, open, options.idleMs) };
}

function intercepted(
  method: PublicMethod,
  call: ServerInterceptingCallInterface,
  options: AdmissionOptions,
  onOpen: (metadata: RawMetadata, opened: OpenCall) => void,
): ServerInterceptingCall {
  explainOwnStatus(call);
  const stream = streamOf(call);
  const peer = call.getPeer();
  options.onCall(peer);
  options.onUse(peer, HEADER_BYTES);
  const observation = observeCall(method.path, {}, options.log);
  const gone = new AbortController();
  let admitted: AdmittedCall | undefined;
  let timer: NodeJS.Timeout | undefined;
  let refused = false;
  const pieces = { bytes: 0 };

  const refuse = (error: unknown) => {
    if (refused || stream.destroyed) return;
    refused = true;
    clearTimeout(timer);
    call.sendStatus(statusOf(observation.failed(error)));
    gone.abort();
    closeSoon(stream);
  };
  const patience = (ms: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => refuse(new DrydockError('MALFORMED_REQUEST', `${what} within ${ms / 1000} s`)), ms);
  };

  const flooded = countSmallPieces();
  stream.on('data', (piece: Buffer) => {
    options.onUse(peer, piece.length);
    if (flooded(piece.length)) return stream.session?.destroy();
    if (!admitted || refused) return;
    if (method.requestStream) clearTimeout(timer);
    else if (!arriving) patience(options.messageMs, 'the request did not arrive');
    arriving = true;
    pieces.bytes += PIECE_BYTES;
    try {
      admitted.arrived(piece.length + PIECE_BYTES);
    } catch (error) {
      refuse(error);
    }
  });
  let arriving = false;
  // Only what waits to be taken makes silence a stall: a call may be quiet for as long as it lasts.
  stream.setTimeout(options.idleMs, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
  let span: CallSpan | undefined;
  stream.once('close', () => {
    clearTimeout(timer);
    gone.abort();
    admitted?.[Symbol.dispose]();
    observation[Symbol.dispose]();
    span?.[Symbol.dispose]();
  });

  const admit = async (raw: RawMetadata) => {
    const encoding = encodingOf(call);
    // Compressed, a message of some KiB is many MiB, and nothing has counted them.
    if (encoding !== 'identity')
      throw new DrydockError(
        'NOT_IMPLEMENTED',
        `messages must not be compressed, and are by '${encoding.slice(0, 50)}'`,
      );
    const metadata = toMetadata(raw);
    span = startCallSpan(method.path, peer, metadata);
    const result = await span.run(() => method.admit({ signal: gone.signal, peer, metadata }));
    if (stream.destroyed) return result[Symbol.dispose]();
    admitted = result;
    patience(options.firstByteMs, 'no byte of the request arrived');
    onOpen(raw, { stream, pieces, admitted, signal: gone.signal, observation, span });
  };
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next(
        new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, proceed) => void admit(metadata).then(() => proceed(metadata), refuse))
          .withOnReceiveHalfClose((proceed) => {
            clearTimeout(timer);
            proceed();
          })
          .build(),
      ),
  });
}

/** Tells when pieces come that are so small, and so many, that reading them costs more than they say. */
function countSmallPieces(): (bytes: number) => boolean {
  const began = performance.now();
  let small = 0;
  return (bytes) => {
    small += bytes < PIECE_BYTES ? 1 : 0;
    return small > SMALL_PIECES.burst + (SMALL_PIECES.perSecond * (performance.now() - began)) / 1_000;
  };
}

/** A client that goes on sending after its answer gets no more than a moment. */
function closeSoon(stream: ServerHttp2Stream): void {
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
  stream.once('close', () => clearTimeout(timer));
}

function toMetadata(raw: RawMetadata): Metadata {
  const metadata = Metadata();
  for (const key of Object.keys(raw.getMap())) for (const value of raw.get(key)) metadata.append(key, value as string);
  return metadata;
}

type AnyCall = ServerUnaryCall<Buffer, Buffer> &
  ServerReadableStream<Buffer, Buffer> &
  ServerWritableStream<Buffer, Buffer>;

function handlerOf(method: PublicMethod, open: WeakMap<RawMetadata, OpenCall>, idleMs: number): UntypedHandleCall {
  const { requestStream, responseStream } = method;
  const answer = (call: AnyCall, opened: OpenCall) =>
    opened.span.run(() => opened.admitted.answer(requestStream ? received(call, opened, idleMs) : call.request));

  const unary = async (call: AnyCall, callback: Parameters<handleUnaryCall<Buffer, Buffer>>[1]) => {
    const opened = open.get(call.metadata)!;
    try {
      const response = await (answer(call, opened) as Promise<Uint8Array>);
      opened.observation.succeeded();
      callback(null, asBuffer(response));
    } catch (error) {
      callback(statusOf(failure(error, opened)));
    }
    if (requestStream) closeSoon(opened.stream);
  };
  const streaming = async (call: AnyCall) => {
    const opened = open.get(call.metadata)!;
    try {
      await sent(call, answer(call, opened) as AsyncIterable<Uint8Array>, opened);
      opened.observation.succeeded();
      call.end();
    } catch (error) {
      call.emit('error', statusOf(failure(error, opened)));
    }
    if (requestStream) closeSoon(opened.stream);
  };
  return (responseStream ? streaming : unary) as unknown as UntypedHandleCall;
}

function failure(error: unknown, { observation, span }: OpenCall): unknown {
  const known = observation.failed(error);
  span.failed(known);
  return known;
}

/** Requests as they come. Waiting is only counted while somebody waits: a slow receiver is not a slow sender. */
async function* received(
  call: AnyCall,
  { admitted, signal, pieces }: OpenCall,
  idleMs: number,
): AsyncIterable<Uint8Array> {
  const messages = call.iterator({ destroyOnReturn: false });
  for (;;) {
    const { promise: idle, reject } = Promise.withResolvers<never>();
    const timer = setTimeout(() => reject(stalled()), idleMs);
    const { value, done } = await Promise.race([messages.next(), idle])
      .catch((error) => {
        throw signal.aborted ? new AbortError() : error;
      })
      .finally(() => clearTimeout(timer));
    if (done) break;
    yield value;
    admitted.passedOn(value.length + pieces.bytes);
    pieces.bytes = 0;
  }
  // Node also ends a stream before it cancels its call.
  signal.throwIfAborted();
}

const stalled = () => new DrydockError('MALFORMED_REQUEST', 'the stream of requests stopped arriving');

/** Writes no faster than the client reads. */
async function sent(call: AnyCall, messages: AsyncIterable<Uint8Array>, { signal, span }: OpenCall): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  try {
    for (;;) {
      const { value, done } = await span.run(() => iterator.next());
      if (done) return;
      if (!call.write(asBuffer(value))) await once(call, 'drain', { signal });
    }
  } finally {
    // Not awaited: what feeds a client that is gone ends by its signal.
    void iterator.return?.()?.catch(() => {});
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
