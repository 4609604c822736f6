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

/** Metadata key of the alternative names in the certificate of the caller, as Node writes them: `DNS:one.executor`. */
export const PEER_NAME_METADATA = 'drydock-peer-name';

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

type Peer = { service: string; names: string };

const peers = new WeakMap<Http2Session, Peer>();

/** Sets the peer's names from its certificate, and overwrites any that the peer sent. */
function namePeer(call: ServerInterceptingCallInterface, metadata: Metadata): void {
  const { session } = streamOf(call);
  let peer = session && peers.get(session);
  // Reading a certificate takes longer than the rest of a short call, so it is read once for each connection.
  if (peer === undefined) {
    const { subject, subjectaltname } = call.getAuthContext().sslPeerCertificate ?? {};
    peer = { service: String(subject?.CN ?? ''), names: subjectaltname ?? '' };
    if (session) peers.set(session, peer);
  }
  metadata.remove(PEER_METADATA);
  metadata.remove(PEER_NAME_METADATA);
  if (peer.service) metadata.set(PEER_METADATA, peer.service);
  if (peer.names) metadata.set(PEER_NAME_METADATA, peer.names);
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
