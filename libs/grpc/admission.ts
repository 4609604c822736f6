import { constants, type ServerHttp2Stream } from 'node:http2';
import {
  type Metadata as RawMetadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { Metadata } from 'nice-grpc-common';
import { DrydockError } from '#libs/errors.ts';
import { type Patience, watchArrival } from '#libs/grpc/arrival.ts';
import { startCallSpan } from '#libs/grpc/call-span.ts';
import { addToAnswer, encodingOf, explainOwnStatus, streamOf } from '#libs/grpc/interceptors.ts';
import { observeCall } from '#libs/grpc/observation.ts';
import { closeSoon, type OpenCall } from '#libs/grpc/open-call.ts';
import type { PublicMethod } from '#libs/grpc/public-method.ts';
import { REQUEST_ID_HEADER } from '#libs/grpc/rpc.ts';
import { handlerOf } from '#libs/grpc/serving.ts';
import { statusOf } from '#libs/grpc/status.ts';
import { newId } from '#libs/ids.ts';
import type { Logger } from '#libs/log.ts';

export type AdmissionOptions = {
  log: Logger;
  patience: Required<Patience>;
  /** Hears of the peer of every call. */
  onCall: (peer: string, stream: ServerHttp2Stream) => void;
  /** Hears of the peer of every call that its client cancelled before it was answered. */
  onReset: (peer: string) => void;
  /** Hears of the bytes of requests that a peer sends. */
  onUse: (peer: string, bytes: number) => void;
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
  return { interceptor, handlerOf: (method: PublicMethod) => handlerOf(method, open, options.patience.idleMs) };
}

function intercepted(
  method: PublicMethod,
  call: ServerInterceptingCallInterface,
  options: AdmissionOptions,
  onOpen: (metadata: RawMetadata, opened: OpenCall) => void,
): ServerInterceptingCall {
  explainOwnStatus(call);
  const requestId = newId('req');
  addToAnswer(call, REQUEST_ID_HEADER, requestId);
  const stream = streamOf(call);
  const peer = call.getPeer();
  options.onCall(peer, stream);
  if (stream.destroyed) {
    options.onReset(peer);
    return new ServerInterceptingCall(call);
  }
  const observation = observeCall(method.path, { requestId }, options.log);
  const gone = new AbortController();
  let refused = false;
  const refuse = (error: unknown) => {
    if (refused || stream.destroyed) return;
    refused = true;
    arrival.end();
    call.sendStatus(statusOf(observation.failed(error)));
    gone.abort();
    closeSoon(stream);
  };
  const arrival = watchArrival({ stream, peer, isStream: method.requestStream, refuse, ...options });
  const open = new DisposableStack();
  open.use(observation);
  stream.once('close', () => {
    if (stream.rstCode === constants.NGHTTP2_CANCEL && !stream.headersSent) options.onReset(peer);
    arrival.end();
    gone.abort();
    open.dispose();
  });
  const admit = async (raw: RawMetadata) => {
    refuseCompressed(call);
    const metadata = toMetadata(raw);
    const span = open.use(startCallSpan(method.path, peer, metadata));
    const admitted = await span.run(() => method.admit({ signal: gone.signal, peer, metadata, requestId }));
    if (open.disposed) return admitted[Symbol.dispose]();
    open.use(admitted);
    arrival.begin(admitted);
    onOpen(raw, { stream, arrival, admitted, signal: gone.signal, observation, span });
  };
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next(
        new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, proceed) => void admit(metadata).then(() => proceed(metadata), refuse))
          .withOnReceiveHalfClose((proceed) => {
            arrival.end();
            proceed();
          })
          .build(),
      ),
  });
}

/** Compressed, a message of some KiB is many MiB, and nothing has counted them. */
function refuseCompressed(call: ServerInterceptingCallInterface): void {
  const encoding = encodingOf(call);
  if (encoding === 'identity') return;
  throw new DrydockError('NOT_IMPLEMENTED', `messages must not be compressed, and are by '${encoding.slice(0, 50)}'`);
}

function toMetadata(raw: RawMetadata): Metadata {
  const metadata = Metadata();
  for (const key of Object.keys(raw.getMap())) for (const value of raw.get(key)) metadata.append(key, value as string);
  return metadata;
}
