import { Metadata, ServerInterceptingCall, type ServerInterceptor, ServerListenerBuilder } from '@grpc/grpc-js';
import { explainStatus } from '#libs/grpc/status.ts';

/** Metadata in which handlers find the name of the service that calls, where its certificate says one. */
export const PEER_METADATA = 'drydock-peer-service';
const DETAILS_METADATA = 'grpc-status-details-bin';

/** Puts the name in the peer's certificate where handlers find it, over whatever the peer wrote there itself. */
export const namePeer: ServerInterceptor = (_method, call) =>
  new ServerInterceptingCall(call, {
    start: (next) =>
      next(
        new ServerListenerBuilder()
          .withOnReceiveMetadata((metadata, proceed) => {
            const name = call.getAuthContext().sslPeerCertificate?.subject?.CN;
            metadata.remove(PEER_METADATA);
            if (typeof name === 'string') metadata.set(PEER_METADATA, name);
            proceed(metadata);
          })
          .build(),
      ),
  });

/**
 * Gives a reason to what grpc-js answers itself: a deadline that has passed, a message that is too large. It does so
 * below every interceptor, so this must be the first of them, and reaches under it.
 */
export const explainOwnStatus: ServerInterceptor = (_method, call) => {
  const send = call.sendStatus.bind(call);
  call.sendStatus = (status) => {
    const explained = status.metadata?.get(DETAILS_METADATA).length ? undefined : explainStatus(status.code ?? 0);
    if (!explained) return send(status);
    const metadata = status.metadata?.clone() ?? new Metadata();
    metadata.set(DETAILS_METADATA, explained.details);
    send({ code: status.code, details: explained.message, metadata });
  };
  return new ServerInterceptingCall(call);
};
