import { ChannelCredentials } from '@grpc/grpc-js';
import { context as telemetry } from '@opentelemetry/api';
import { createChannel, createClientFactory, Metadata, type ServiceDefinition } from 'nice-grpc';
import { openTelemetryClientMiddleware } from 'nice-grpc-opentelemetry';
import { DrydockError } from '#libs/errors.ts';
import { readErrorDetails } from '#libs/grpc/error-details.ts';
import {
  CALLER_METADATA,
  type CallOptions,
  type Client,
  type Definition,
  END_OF_REQUESTS,
  MAX_MESSAGE_BYTES,
  methodPath,
} from '#libs/grpc/rpc.ts';
import { fromCallError } from '#libs/grpc/status.ts';
import type { TlsFiles } from '#libs/grpc/tls.ts';
import { isTraced } from '#libs/telemetry.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';

export type ClientOptions = {
  /** Who is called, a service or `nameOfExecutor`: with `tls`, its certificate must bear this name. */
  name?: string;
  /** Whom to trust, and who this is: without certificate and key, nobody. */
  tls?: (Pick<TlsFiles, 'ca'> & Partial<TlsFiles>) | undefined;
  /** Metadata of every call. */
  metadata?: Record<string, string>;
  /** Bytes of the largest answer that is taken. Default: what services send each other, `MAX_MESSAGE_BYTES`. */
  maxMessageBytes?: number;
  /** Bytes of an answer that may be on their way before any are taken. Default: Node's, 64 KiB. */
  windowBytes?: number;
  /** Ends streams of requests with `END_OF_REQUESTS`, as our servers want it. Default true. */
  marksEnd?: boolean;
  /** Hears of the trailing metadata of every call, in the call's own trace context. */
  onTrailer?: (method: string, trailer: Metadata) => void;
};

const NEVER = new AbortController().signal;

/**
 * A client of one service at one address, `host:port` or `unix:///path`. It connects at the first call and again whenever
 * the connection drops. Errors are the `DrydockError` that the server threw; ending `signal` throws an AbortError.
 */
export function createClient<D extends Definition>(
  definition: D,
  address: string,
  {
    name,
    tls,
    metadata,
    onTrailer,
    windowBytes,
    marksEnd = true,
    maxMessageBytes = MAX_MESSAGE_BYTES,
  }: ClientOptions = {},
): Client<D> & Disposable {
  const channel = createChannel(
    address,
    tls
      ? ChannelCredentials.createSsl(tls.ca, tls.key ?? null, tls.certificate ?? null)
      : ChannelCredentials.createInsecure(),
    {
      'grpc.max_receive_message_length': maxMessageBytes,
      'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1000,
      ...(windowBytes ? { 'grpc-node.flow_control_window': windowBytes } : {}),
      ...(tls && name ? { 'grpc.ssl_target_name_override': name } : {}),
    },
  );
  const plain = createClientFactory().use(readErrorDetails);
  const traced = isTraced(process.env) ? plain.use(openTelemetryClientMiddleware()) : plain;
  const raw = traced.create(rawDefinition(definition), channel) as unknown as Record<string, RawMethod>;

  const client: Record<string, unknown> = {};
  for (const [method, { name, requestStream, responseStream }] of Object.entries(definition.methods)) {
    const heard = onTrailer && ((trailer: Metadata) => onTrailer(name, trailer));
    const call: RawMethod = (request, options) =>
      raw[method]!(requestStream && marksEnd ? withEnd(request as AsyncIterable<unknown>) : request, {
        ...options,
        ...(heard ? { onTrailer: telemetry.bind(telemetry.active(), heard) } : {}),
      });
    client[method] = responseStream
      ? (request: unknown, options?: CallOptions) => streaming(call, request, options, metadata)
      : (request: unknown, options?: CallOptions) => unary(call, request, options, metadata);
  }
  return Object.assign(client, { [Symbol.dispose]: () => channel.close() }) as Client<D> & Disposable;
}

// biome-ignore lint/suspicious/noExplicitAny: methods of any message
type RawMethod = (request: unknown, options: RawOptions) => any;

type RawOptions = { signal: AbortSignal; metadata: Metadata; onTrailer?: (trailer: Metadata) => void };

async function* withEnd(requests: AsyncIterable<unknown>): AsyncIterable<unknown> {
  yield* requests;
  yield END_OF_REQUESTS;
}

async function unary(call: RawMethod, request: unknown, options: CallOptions = {}, base?: Record<string, string>) {
  using limit = timeLimit(options);
  try {
    return await call(request, { signal: limit.signal, metadata: metadataOf(options, base) });
  } catch (error) {
    throw limit.explain(fromCallError(error));
  }
}

async function* streaming(
  call: RawMethod,
  request: unknown,
  options: CallOptions = {},
  base?: Record<string, string>,
): AsyncIterable<unknown> {
  using limit = timeLimit(options);
  try {
    yield* call(request, { signal: limit.signal, metadata: metadataOf(options, base) });
  } catch (error) {
    throw limit.explain(fromCallError(error));
  }
}

function metadataOf({ caller }: CallOptions, base: Record<string, string> = {}): Metadata {
  const metadata = Metadata(base);
  if (caller) metadata.set(CALLER_METADATA, Caller.encode(caller).finish());
  return metadata;
}

/** A deadline that lasts no longer than its call. */
function timeLimit({ signal = NEVER, deadlineMs }: CallOptions) {
  if (deadlineMs === undefined) return { signal, explain: (error: unknown) => error, [Symbol.dispose]() {} };
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), deadlineMs);
  return {
    signal: signal === NEVER ? deadline.signal : AbortSignal.any([signal, deadline.signal]),
    explain: (error: unknown) =>
      deadline.signal.aborted && !signal.aborted
        ? new DrydockError('DEADLINE_TOO_SHORT', `no answer within ${deadlineMs} ms`)
        : error,
    [Symbol.dispose]: () => clearTimeout(timer),
  };
}

function rawDefinition(definition: Definition): ServiceDefinition {
  const raw: ServiceDefinition = {};
  for (const [name, method] of Object.entries(definition.methods)) {
    const { requestType, responseType, requestStream, responseStream } = method;
    raw[name] = {
      path: methodPath(definition, method),
      requestStream,
      responseStream,
      requestSerialize: (value) => (value === END_OF_REQUESTS ? value : requestType.encode(value).finish()),
      requestDeserialize: (bytes) => requestType.decode(bytes),
      responseSerialize: (value) => responseType.encode(value).finish(),
      responseDeserialize: (bytes) => responseType.decode(bytes),
      options: {},
    };
  }
  return raw;
}
