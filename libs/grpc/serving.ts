import { once } from 'node:events';
import type {
  handleUnaryCall,
  Metadata,
  ServerReadableStream,
  ServerUnaryCall,
  ServerWritableStream,
  UntypedHandleCall,
} from '@grpc/grpc-js';
import { AbortError } from 'abort-controller-x';
import { DrydockError } from '#libs/errors.ts';
import { closeSoon, type OpenCall } from '#libs/grpc/open-call.ts';
import type { PublicMethod } from '#libs/grpc/public-method.ts';
import { statusOf } from '#libs/grpc/status.ts';

type AnyCall = ServerUnaryCall<Buffer, Buffer> &
  ServerReadableStream<Buffer, Buffer> &
  ServerWritableStream<Buffer, Buffer>;

/** Serves the calls of a method that were admitted. A stream of requests that pauses for `idleMs` is given up. */
export function handlerOf(method: PublicMethod, open: WeakMap<Metadata, OpenCall>, idleMs: number): UntypedHandleCall {
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

/** Requests as they arrive. Only time spent awaiting one counts as idle: a slow receiver is not a slow sender. */
async function* received(call: AnyCall, { arrival, signal }: OpenCall, idleMs: number): AsyncIterable<Uint8Array> {
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
    arrival.passedOn(value.length);
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
    // Not awaited: after a disconnect, the source ends by its signal.
    void iterator.return?.()?.catch(() => {});
  }
}

function asBuffer(bytes: Uint8Array): Buffer {
  return Buffer.isBuffer(bytes) ? bytes : Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
