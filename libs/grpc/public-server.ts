import type { ServerHttp2Stream } from 'node:http2';
import type { Socket } from 'node:net';
import {
  type MethodDefinition,
  Server,
  ServerCredentials,
  type UntypedHandleCall,
  type UntypedServiceImplementation,
} from '@grpc/grpc-js';
import { createAdmission } from '#libs/grpc/admission.ts';
import { type Allowance, createAllowance } from '#libs/grpc/allowance.ts';
import type { Patience } from '#libs/grpc/arrival.ts';
import { openMethods } from '#libs/grpc/open-methods.ts';
import type { PublicMethod } from '#libs/grpc/public-method.ts';
import { keepRepeatedCredentials } from '#libs/grpc/repeated-headers.ts';
import { MAX_MESSAGE_BYTES, MAX_PUBLIC_MESSAGE_BYTES } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';

/** Of one connection; more calls wait at the client for those. */
const MAX_STREAMS = 1_000;
const MAX_HEADER_BYTES = 16 * 1024;
const DRAIN_MS = 10_000;
/** Of a request's bytes that Node takes before any are read: HTTP/2's own default. */
const WINDOW_BYTES = 65_535;

/** Calls of one connection that its client may cancel unanswered: beginning one costs the server more than its client. */
const RESETS = { burst: 300, perSecond: 100 };

const PATIENCE: Required<Patience> = {
  firstCallMs: 10_000,
  firstByteMs: 10_000,
  messageMs: 120_000,
  idleMs: 60_000,
  connectionIdleMs: 60_000,
};

export type PublicServerOptions = {
  methods: readonly PublicMethod[];
  /** A FileDescriptorSet to serve reflection from. */
  descriptors: Uint8Array;
  log: Logger;
  /** Hears of bytes that a connection, `address:port`, sent to some use: pieces of requests, and the headers of a call. */
  onUse?: (peer: string, bytes: number) => void;
  patience?: Patience;
};

/** Between its acceptance and its end, by its peer. `firstCall` ends it if no call comes. */
type Connection = {
  socket: Socket;
  firstCall: NodeJS.Timeout;
  resets: Allowance;
  streams: Set<ServerHttp2Stream>;
};

export type PublicServer = {
  /** Serves a connection that was accepted elsewhere, and begins with the HTTP/2 preface. */
  inject(socket: Socket): void;
  /** Bytes of requests that have come by a connection, and wait to be taken. */
  waiting(socket: Socket): number;
} & AsyncDisposable;

/**
 * Serves gRPC to callers who are not known: each call is admitted by its metadata alone, before a byte of a message is
 * read, and messages stay bytes. Health and reflection are open to everybody. Disposing turns health to NOT_SERVING, sends
 * GOAWAY, closes what is injected from then on, lets calls end for 10 s and then cancels them.
 */
export function createPublicServer(options: PublicServerOptions): PublicServer {
  const { log, onUse = () => {} } = options;
  const patience = { ...PATIENCE, ...options.patience };
  const open = openMethods(options.methods, options.descriptors);
  const methods = [...options.methods, ...open.methods];
  const connections = new Map<string, Connection>();
  const admission = createAdmission(methods, {
    log,
    patience,
    onUse,
    onCall(peer, stream) {
      const connection = connections.get(peer);
      if (!connection) return;
      clearTimeout(connection.firstCall);
      connection.streams.add(stream);
      stream.once('close', () => connection.streams.delete(stream));
    },
    onReset(peer) {
      const connection = connections.get(peer);
      if (connection && !connection.resets.take()) connection.socket.destroy();
    },
  });

  const server = new Server({
    'grpc.max_receive_message_length': MAX_PUBLIC_MESSAGE_BYTES,
    'grpc.max_send_message_length': MAX_MESSAGE_BYTES,
    'grpc.max_concurrent_streams': MAX_STREAMS,
    'grpc.max_metadata_size': MAX_HEADER_BYTES,
    'grpc.max_connection_idle_ms': patience.connectionIdleMs,
    'grpc.keepalive_time_ms': patience.connectionIdleMs,
    'grpc.keepalive_timeout_ms': 20_000,
    interceptors: [admission.interceptor],
  });
  const { definition, implementation } = bind(methods, admission.handlerOf);
  server.addService(definition, implementation);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  keepRepeatedCredentials(server);

  let stopping = false;
  return {
    inject(socket) {
      // The shutdown would not know of it, and wait for its end without telling it.
      if (stopping) return void socket.destroy();
      const peer = peerOf(socket);
      const firstCall = setTimeout(() => socket.destroy(), patience.firstCallMs);
      connections.set(peer, { socket, firstCall, resets: createAllowance(RESETS), streams: new Set() });
      socket.once('close', () => {
        clearTimeout(firstCall);
        connections.delete(peer);
      });
      injector.injectConnection(closingWithItsPeer(socket));
    },
    waiting(socket) {
      const streams = connections.get(peerOf(socket))?.streams ?? [];
      return [...streams].reduce((bytes, stream) => bytes + waitingIn(stream), 0);
    },
    async [Symbol.asyncDispose]() {
      stopping = true;
      open.stopping();
      injector.drain(DRAIN_MS);
      const force = setTimeout(() => {
        log.warn('calls cancelled that did not end');
        server.forceShutdown();
      }, DRAIN_MS);
      await new Promise<void>((resolve, reject) => server.tryShutdown((error) => (error ? reject(error) : resolve())));
      clearTimeout(force);
      injector.destroy();
    },
  };
}

/** What Node has buffered, and what it has left to the window of the stream. */
function waitingIn({ readableLength, state: { localWindowSize = WINDOW_BYTES } }: ServerHttp2Stream): number {
  return readableLength + Math.max(0, WINDOW_BYTES - localWindowSize);
}

/** Who has closed its side has left, and a stream that waits for its window would never notice. HTTP servers leave their side open. */
function closingWithItsPeer(socket: Socket): Socket {
  socket.allowHalfOpen = false;
  return socket;
}

/** How a connection is named everywhere: `address:port` of its other end. */
export function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress}:${remotePort}`;
}

function bind(methods: readonly PublicMethod[], handlerOf: (method: PublicMethod) => UntypedHandleCall) {
  const definition: Record<string, MethodDefinition<Buffer, Buffer>> = {};
  const implementation: UntypedServiceImplementation = {};
  const same = (bytes: Buffer) => bytes;
  for (const method of methods) {
    const { path, requestStream, responseStream } = method;
    definition[path] = {
      path,
      requestStream,
      responseStream,
      requestSerialize: same,
      requestDeserialize: same,
      responseSerialize: same,
      responseDeserialize: same,
    };
    implementation[path] = handlerOf(method);
  }
  return { definition, implementation };
}
