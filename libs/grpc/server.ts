import { configureTextEncoding, getTextEncoding } from '@bufbuild/protobuf/wire';
import { experimental, ServerCredentials } from '@grpc/grpc-js';
import { type CallContext, createServer, type ServiceDefinition } from 'nice-grpc';
import { errorDetailsServerMiddleware } from 'nice-grpc-error-details';
import { openTelemetryServerMiddleware } from 'nice-grpc-opentelemetry';
import { HealthDefinition, HealthServiceImpl, HealthState } from 'nice-grpc-server-health';
import { DrydockError } from '#libs/errors.ts';
import { nameAndExplain, PEER_METADATA } from '#libs/grpc/interceptors.ts';
import { observeCall } from '#libs/grpc/observation.ts';
import {
  CALLER_METADATA,
  type Call,
  type Definition,
  END_OF_REQUESTS,
  MAX_MESSAGE_BYTES,
  type MethodDefinition,
  methodPath,
  type Rpc,
} from '#libs/grpc/rpc.ts';
import type { ServiceName, Tls } from '#libs/grpc/tls.ts';
import type { Logger } from '#libs/log.ts';
import { isTraced, splitAddress } from '#libs/telemetry.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';

const DRAIN_MS = 10_000;

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

/** The tenant on whose behalf a call is made. Errors: CREDENTIAL_INVALID if the call names none. */
export function callerOf(call: Call): Caller {
  if (!call.caller?.organizationId) throw new DrydockError('CREDENTIAL_INVALID', 'the call names no organisation');
  return call.caller;
}

export type ServerOptions = {
  /** host:port; port 0 picks a free one. Without `tls` the host must be a loopback address. */
  address: string;
  services: readonly ServedService[];
  log: Logger;
  tls?: Tls | undefined;
  /** Whether callers have to have a certificate of our authority. Default true; else none is asked for, and `allow` lets nobody in. */
  authenticatesCallers?: boolean;
  /** Bytes of the largest request that is taken. Default: what services send each other, `MAX_MESSAGE_BYTES`. */
  maxRequestBytes?: number;
};

/** Serves until disposed; disposing turns health to NOT_SERVING, lets calls end for 10 s and then cancels them. */
export async function startServer(options: ServerOptions): Promise<{ port: number } & AsyncDisposable> {
  const { address, services, log, maxRequestBytes = MAX_MESSAGE_BYTES } = options;
  refuseOpenAddress(options);
  // No limit of streams: one connection carries the calls of every caller, and one that waits must not keep out others.
  const plain = createServer({
    'grpc.max_receive_message_length': maxRequestBytes,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_permit_without_calls': 1,
    interceptors: [nameAndExplain],
  } as Parameters<typeof createServer>[0]);
  const traced = isTraced(process.env) ? plain.use(openTelemetryServerMiddleware()) : plain;
  const server = traced.use(errorDetailsServerMiddleware);

  const health = HealthState();
  server.add(HealthDefinition, HealthServiceImpl(health));
  health.setStatus('healthy');
  for (const served of services) {
    health.setStatus('healthy', served.definition.fullName);
    const { definition, implementation } = bind(served, options);
    server.add(definition, implementation as never);
  }

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

/** The server trusts the metadata of its callers, so without TLS it must listen on loopback alone. */
function refuseOpenAddress({ address, tls }: ServerOptions): void {
  const [host] = splitAddress(address);
  if (tls || ['127.0.0.1', '::1', 'localhost'].includes(host)) return;
  throw new Error(`refusing to listen on ${address} without TLS_DIR: any host could call this service`);
}

function credentials({ tls, authenticatesCallers = true }: ServerOptions): ServerCredentials {
  if (!tls) return ServerCredentials.createInsecure();
  if (tls.onRenewed && authenticatesCallers) return renewedCredentials(tls);
  return ServerCredentials.createSsl(
    tls.ca,
    [{ cert_chain: tls.certificate, private_key: tls.key }],
    authenticatesCallers,
  );
}

type Provider = experimental.CertificateProvider;
type IdentityListener = experimental.IdentityCertificateUpdateListener;

/** New connections are given the certificate of their time; those that there are stay. */
function renewedCredentials(tls: Tls): ServerCredentials {
  const listeners = new Map<IdentityListener, Disposable | undefined>();
  const tell = (listener: IdentityListener) => listener({ certificate: tls.certificate, privateKey: tls.key });
  // Later: grpc-js registers with a provider before it listens to itself.
  const provider: Provider = {
    addCaCertificateListener: (listener) => queueMicrotask(() => listener({ caCertificate: tls.ca })),
    removeCaCertificateListener() {},
    addIdentityCertificateListener(listener) {
      listeners.set(
        listener,
        tls.onRenewed?.(() => tell(listener)),
      );
      queueMicrotask(() => tell(listener));
    },
    removeIdentityCertificateListener(listener) {
      listeners.get(listener)?.[Symbol.dispose]();
      listeners.delete(listener);
    },
  };
  return experimental.createCertificateProviderServerCredentials(provider, provider, true);
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
    bound.implementation[name] = observed(path, method, options.log, (request, context, call) => {
      checkPeer(context, options.tls ? allow : undefined);
      if (!handler) throw new DrydockError('NOT_IMPLEMENTED', `${path} is not served here`);
      return handler(requestStream ? checkedStream(request, context.signal) : checked(request), call);
    });
  }
  return bound;
}

/** Wraps a handler: its answers and errors are counted and logged. */
function observed(
  path: string,
  { responseStream }: MethodDefinition,
  log: Logger,
  // biome-ignore lint/suspicious/noExplicitAny: handlers of any message
  handle: (request: any, context: CallContext, call: Call) => any,
): unknown {
  if (responseStream)
    return async function* (request: unknown, context: CallContext) {
      const call = toCall(context);
      using observation = observeCall(path, idsOf(request, call), log);
      try {
        yield* handle(request, context, call);
        observation.succeeded();
      } catch (error) {
        throw observation.failed(error);
      }
    };
  return async (request: unknown, context: CallContext) => {
    const call = toCall(context);
    using observation = observeCall(path, idsOf(request, call), log);
    try {
      const response = await handle(request, context, call);
      observation.succeeded();
      return response;
    } catch (error) {
      throw observation.failed(error);
    }
  };
}

const IDS = ['sandboxId', 'executionId', 'processId'] as const;
const MAX_LOGGED_ID = 64;
type Ids = { [name in (typeof IDS)[number]]?: unknown };

/** The ids that a request has and names, for the log. Nothing else of a request is for the log: it may hold secrets. */
function idsOf(request: unknown, { requestId }: Call): { [name: string]: string } {
  const { spec, ...rest } = (request ?? {}) as Ids & { spec?: Ids };
  const named = { ...spec, ...rest };
  const given = IDS.filter((name) => named[name]);
  return {
    ...Object.fromEntries(given.map((name) => [name, String(named[name]).slice(0, MAX_LOGGED_ID)])),
    ...(requestId ? { requestId } : {}),
  };
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

/** A stream that was cut off ends like a complete one; only the mark at the end tells them apart. */
async function* checkedStream(requests: AsyncIterable<unknown>, signal: AbortSignal): AsyncIterable<unknown> {
  for await (const request of requests) {
    if (request === END_OF_REQUESTS) return;
    yield checked(request);
  }
  signal.throwIfAborted();
  throw new DrydockError('MALFORMED_REQUEST', 'the stream of requests was cut off');
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

function toCall({ signal, peer, metadata }: CallContext): Call {
  const bytes = metadata.get(CALLER_METADATA);
  const caller = bytes ? Caller.decode(bytes as Uint8Array) : undefined;
  return { signal, peer, metadata, caller, requestId: caller?.requestId };
}
