import { constants, type ServerHttp2Stream } from 'node:http2';
import type { Arrival } from '#libs/grpc/arrival.ts';
import type { CallSpan } from '#libs/grpc/call-span.ts';
import type { Observation } from '#libs/grpc/observation.ts';
import type { AdmittedCall } from '#libs/grpc/public-method.ts';

/** How long a client may go on sending after its answer. */
const LINGER_MS = 1_000;

/** A call between its headers and its last byte. */
export type OpenCall = {
  stream: ServerHttp2Stream;
  arrival: Pick<Arrival, 'passedOn'>;
  admitted: AdmittedCall;
  signal: AbortSignal;
  observation: Observation;
  span: CallSpan;
};

/** A client that goes on sending after its answer gets no more than a moment. */
export function closeSoon(stream: ServerHttp2Stream): void {
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_NO_ERROR), LINGER_MS);
  stream.once('close', () => clearTimeout(timer));
}
