import type { Http2Session, ServerHttp2Stream } from 'node:http2';
import {
  Metadata,
  ServerInterceptingCall,
  type ServerInterceptingCallInterface,
  type ServerInterceptor,
  ServerListenerBuilder,
} from '@grpc/grpc-js';
import { DETAILS_METADATA, explainStatus } from '#libs/grpc/status.ts';

/** Metadata key of the calling service's name, from its certificate. */
export const PEER_METADATA = 'drydock-peer-service';

/** Names the peer of every call, and adds reasons to errors that grpc-js itself returns. It must be the first interceptor. */
export const nameAndExplain: ServerInterceptor = (_method, call) => {
  explainOwnStatus(call);
  return new ServerInterceptingCall(call, {
    start: (next) =>
      next(
        new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, proceed) => {
            namePeer(call, metadata);
            proceed(metadata);
          })
          .build(),
      ),
  });
};

/** Internals of grpc-js that no interceptor is given. */
type Inside = { stream: ServerHttp2Stream; incomingEncoding: string };

/** The HTTP/2 stream of a call, as the first interceptor is given it. */
export function streamOf(call: ServerInterceptingCallInterface): ServerHttp2Stream {
  return (call as unknown as Inside).stream;
}

/** How the messages of a call are compressed: `identity`, `gzip`, …. */
export function encodingOf(call: ServerInterceptingCallInterface): string {
  return (call as unknown as Inside).incomingEncoding;
}

const peers = new WeakMap<Http2Session, string>();

/** Sets the peer's name from its certificate, and overwrites any that the peer sent. */
function namePeer(call: ServerInterceptingCallInterface, metadata: Metadata): void {
  const { session } = streamOf(call);
  let name = session && peers.get(session);
  // Reading a certificate takes longer than the rest of a short call, so it is read once for each connection.
  if (name === undefined) {
    name = String(call.getAuthContext().sslPeerCertificate?.subject?.CN ?? '');
    if (session) peers.set(session, name);
  }
  metadata.remove(PEER_METADATA);
  if (name) metadata.set(PEER_METADATA, name);
}

/** Adds a reason to errors that grpc-js itself returns: deadline exceeded, message too large. */
export function explainOwnStatus(call: ServerInterceptingCallInterface): void {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => {
    const explained = status.metadata?.get(DETAILS_METADATA).length ? undefined : explainStatus(status.code ?? 0);
    if (!explained) return send(status);
    const metadata = status.metadata?.clone() ?? new Metadata();
    metadata.set(DETAILS_METADATA, explained.details);
    send({ code: status.code, details: explained.message, metadata });
  };
}

/** Puts a header into the answer of a call, with its first message or, where it has none, with its status. */
export function addToAnswer(call: ServerInterceptingCallInterface, key: string, value: string): void {
  const sendMetadata = call.sendMetadata.bind(call);
  const sendStatus = call.sendStatus.bind(call);
  let sent = false;
  call.sendMetadata = (metadata) => {
    sent = true;
    metadata.set(key, value);
    sendMetadata(metadata);
  };
  call.sendStatus = (status) => {
    if (sent) return sendStatus(status);
    const metadata = status.metadata?.clone() ?? new Metadata();
    metadata.set(key, value);
    sendStatus({ ...status, metadata });
  };
}
