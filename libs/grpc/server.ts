import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';
import { ServerCredentials } from '@grpc/grpc-js';
import { isAbortError } from 'abort-controller-x';
import { type CallContext, createServer, ServerError, type ServiceDefinition, Status } from 'nice-grpc';
import { errorDetailsServerMiddleware } from 'nice-grpc-error-details';
import { openTelemetryServerMiddleware } from 'nice-grpc-opentelemetry';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { ServerReflection, ServerReflectionService } from 'nice-grpc-server-reflection';
import { DrydockError, STATUS_OF } from '#libs/errors.ts';
import { nameAndExplain, PEER_METADATA } from '#libs/grpc/interceptors.ts';
import {
  CALLER_METADATA,
  type Call,
  type Definition,
  END_OF_REQUESTS,
  MAX_MESSAGE_BYTES,
  MAX_PUBLIC_MESSAGE_BYTES,
  type MethodDefinition,
  methodPath,
  type Rpc,
} from '#libs/grpc/rpc.ts';
import { toRichError } from '#libs/grpc/status.ts';
import type { ServiceName, TlsFiles } from '#libs/grpc/tls.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram, splitAddress } from '#libs/telemetry.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';

// Of one client’s connection; more calls wait there for those.
const MAX_PUBLIC_STREAMS = 1_000;
const DRAIN_MS = 10_000;

const calls = durationHistogram('rpc_server_duration_seconds', 'From the request to the last response.', [
  'method',
  'code',
]);

// Text on the wire that is not UTF-8 is a malformed request, not text with question marks in it.
const strictUtf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
configureTextEncoding({ ...getTextEncoding(), decodeUtf8: (bytes) => strictUtf8.decode(bytes) });

export type ServedService = {
  definition: Definition;
  // biome-ignore lint/suspicious/noExplicitAny: handlers of any message
  implementation: Record<string, ((request: any, call: Call) => any) | undefined>;
  allow: readonly ServiceName[] | undefined;
};

/**
 * A service to be served. Methods that the implementation lacks answer NOT_IMPLEMENTED.
 * With `allow`, only these services may call it, by the name in their certificate.
 */
export function service<D extends Definition>(
  definition: D,
  implementation: Partial<Rpc<D>>,
  options: { allow?: readonly ServiceName[] } = {},
): ServedService {
  return { definition, implementation, allow: options.allow };
}

/** On whose behalf a call is made. Throws CREDENTIAL_INVALID where nobody is named. */
export function callerOf(call: Call): Caller {
  if (!call.caller?.organizationId) throw new DrydockError('CREDENTIAL_INVALID', 'the call names no organisation');
  return call.caller;
}

export type ServerOptions = {
  /** host:port; port 0 picks a free one. Without `tls` the host must be a loopback address. */
  address: string;
  services: readonly ServedService[];
  log: Logger;
  tls?: TlsFiles | undefined;
  /** Serves callers from outside: no client certificate is asked for and no `Caller` is taken from metadata. */
  public?: boolean;
  /** A FileDescriptorSet to serve reflection from. */
  descriptors?: Uint8Array;
};

/** Serves until disposed; disposing turns health to NOT_SERVING, lets calls end for 10 s and then cancels them. */
export async function startServer(options: ServerOptions): Promise<{ port: number } & AsyncDisposable> {
  const { address, services, log } = options;
  refuseOpenAddress(options);
  const server = createServer({
    'grpc.max_receive_message_length': options.public ? MAX_PUBLIC_MESSAGE_BYTES : MAX_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_permit_without_calls': 1,
    // Inside, one connection carries the calls of every caller: what one waits for must not keep out the others.
    ...(options.public ? { 'grpc.max_concurrent_streams': MAX_PUBLIC_STREAMS } : {}),
    interceptors: [nameAndExplain],
  } as Parameters<typeof createServer>[0])
    .use(openTelemetryServerMiddleware())
    .use(errorDetailsServerMiddleware);

  const health = HealthState();
  server.add(HealthDefinition, HealthServiceImpl(health));
  health.setStatus('healthy');
  for (const served of services) {
    health.setStatus('healthy', served.definition.fullName);
    const { definition, implementation } = bind(served, options);
    server.add(definition, implementation as never);
  }
  if (options.descriptors)
    server.add(
      ServerReflectionService,
      ServerReflection(options.descriptors, [
        ...services.map(({ definition }) => definition.fullName),
        'grpc.health.v1.Health',
      ]),
    );

  const port = await server.listen(address, credentials(options));
  return {
    port,
    async [Symbol.asyncDispose]() {
      health.setStatus('unhealthy');
      for (const { definition } of services) health.setStatus('unhealthy', definition.fullName);
      const force = setTimeout(() => {
        log.warn({ port }, 'calls cancelled that did not end');
        server.forceShutdown();
      }, DRAIN_MS);
      await server.shutdown();
      clearTimeout(force);
    },
  };
}

/** An internal server trusts what its callers say of themselves, so it must not be open to everybody. */
function refuseOpenAddress({ address, tls, public: isPublic }: ServerOptions): void {
  const [host] = splitAddress(address);
  if (tls || isPublic || ['127.0.0.1', '::1', 'localhost'].includes(host)) return;
  throw new Error(`refusing to listen on ${address} without TLS_DIR: anybody could call this service`);
}

function credentials({ tls, public: isPublic }: ServerOptions): ServerCredentials {
  if (!tls || isPublic) return ServerCredentials.createInsecure();
  return ServerCredentials.createSsl(tls.ca, [{ cert_chain: tls.certificate, private_key: tls.key }], true);
}

// An object, since nice-grpc asks of every request whether something is `in` it.
const MALFORMED = Object.freeze({});

type Bound = { definition: ServiceDefinition; implementation: Record<string, unknown> };

function bind({ definition, implementation, allow }: ServedService, options: ServerOptions): Bound {
  const bound: Bound = { definition: {}, implementation: {} };
  for (const [name, method] of Object.entries(definition.methods)) {
    const path = methodPath(definition, method);
    const { requestType, responseType, requestStream, responseStream } = method;
    bound.definition[name] = {
      path,
      requestStream,
      responseStream,
      requestSerialize: (value) => requestType.encode(value).finish(),
      requestDeserialize: (bytes) => decodeRequest(method, bytes),
      responseSerialize: (value) => responseType.encode(value).finish(),
      responseDeserialize: (bytes) => responseType.decode(bytes),
      options: {},
    };
    const handler = implementation[name]?.bind(implementation);
    bound.implementation[name] = observed(path, method, options.log, (request, context) => {
      checkPeer(context, options.tls && !options.public ? allow : undefined);
      if (!handler) throw new DrydockError('NOT_IMPLEMENTED', `${path} is not served here`);
      const isPublic = options.public === true;
      const whole = requestStream ? checkedStream(request, context.signal, isPublic) : checked(request);
      return handler(whole, toCall(context, isPublic));
    });
  }
  return bound;
}

/** Wraps a handler: typed errors on the wire, everything else logged once and hidden; duration counted. */
function observed(
  path: string,
  { responseStream }: MethodDefinition,
  log: Logger,
  // biome-ignore lint/suspicious/noExplicitAny: handlers of any message
  handle: (request: any, context: CallContext) => any,
): unknown {
  const begin = (request: unknown) => {
    const fields = { path, ...idsOf(request) };
    const end = calls.startTimer();
    // What it stays where the caller leaves.
    let code = Status.CANCELLED;
    return {
      succeeded() {
        code = Status.OK;
      },
      failed(error: unknown) {
        const known = toServerError(log, fields, error);
        if (known instanceof ServerError) code = known.code;
        return known;
      },
      [Symbol.dispose]() {
        end({ method: path, code: Status[code] });
        log.debug({ ...fields, code: Status[code] }, 'call ended');
      },
    };
  };
  if (responseStream)
    return async function* (request: unknown, context: CallContext) {
      using call = begin(request);
      try {
        yield* handle(request, context);
        call.succeeded();
      } catch (error) {
        throw call.failed(error);
      }
    };
  return async (request: unknown, context: CallContext) => {
    using call = begin(request);
    try {
      const response = await handle(request, context);
      call.succeeded();
      return response;
    } catch (error) {
      throw call.failed(error);
    }
  };
}

const IDS = ['sandboxId', 'executionId', 'processId'] as const;
const MAX_LOGGED_ID = 64;
type Ids = { [name in (typeof IDS)[number]]?: unknown };

/** The ids that a request names, for the log. Nothing else of a request is for the log: it may hold secrets. */
function idsOf(request: unknown): { [name: string]: string } {
  const { spec, ...rest } = (request ?? {}) as Ids & { spec?: Ids };
  const named = { ...spec, ...rest };
  const given = IDS.filter((name) => named[name]);
  return Object.fromEntries(given.map((name) => [name, String(named[name]).slice(0, MAX_LOGGED_ID)]));
}

function toServerError(log: Logger, fields: object, error: unknown): unknown {
  if (isAbortError(error)) return error;
  if (error instanceof DrydockError) {
    if (STATUS_OF[error.reason] === Status.INTERNAL) log.error({ ...fields, err: error }, 'internal error');
    return toRichError(error);
  }
  log.error({ ...fields, err: error }, 'unexpected error');
  return toRichError(new DrydockError('INTERNAL', 'internal error'));
}

function decodeRequest({ requestType, requestStream }: MethodDefinition, bytes: Uint8Array): unknown {
  if (requestStream && Buffer.compare(bytes, END_OF_REQUESTS) === 0) return END_OF_REQUESTS;
  try {
    return requestType.decode(bytes);
  } catch {
    return MALFORMED;
  }
}

function checked(request: unknown): unknown {
  if (request === MALFORMED)
    throw new DrydockError('MALFORMED_REQUEST', 'the bytes are not the message that the method takes');
  return request;
}

/** The requests of a call that was cut off end like those of a whole one, and must not be taken for whole. */
async function* checkedStream(
  requests: AsyncIterable<unknown>,
  signal: AbortSignal,
  isPublic: boolean,
): AsyncIterable<unknown> {
  for await (const request of requests) {
    if (request === END_OF_REQUESTS) return;
    yield checked(request);
  }
  signal.throwIfAborted();
  if (!isPublic) throw new DrydockError('MALFORMED_REQUEST', 'the stream of requests was cut off');
}

function checkPeer({ metadata }: CallContext, allow: readonly ServiceName[] | undefined): void {
  if (!allow) return;
  const name = metadata.get(PEER_METADATA);
  if (!allow.includes(name as ServiceName))
    throw new DrydockError(
      'CALLER_FORBIDDEN',
      `${name ?? 'a caller without a certificate'} must not call this service`,
    );
}

function toCall({ signal, peer, metadata }: CallContext, isPublic: boolean): Call {
  const bytes = isPublic ? undefined : metadata.get(CALLER_METADATA);
  return { signal, peer, metadata, caller: bytes ? Caller.decode(bytes as Uint8Array) : undefined };
}
