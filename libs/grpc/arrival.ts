import { constants, type ServerHttp2Stream } from 'node:http2';
import { DrydockError } from '#libs/errors.ts';
import { createAllowance } from '#libs/grpc/allowance.ts';
import type { AdmittedCall } from '#libs/grpc/public-method.ts';

/** Of memory, for each piece that a message comes in: one of a byte costs a hundred. */
const PIECE_BYTES = 256;
/** Approximate bytes of a call's headers on the wire. */
const HEADER_BYTES = 256;
/** A message of its own, with its length, is longer. */
const SMALL_PIECE_BYTES = 16;
/** How many of these a call may send: more are a flood, which ends its connection. */
const SMALL_PIECES = { burst: 1_000, perSecond: 1_000 };

/** How long clients may keep a server waiting. */
export type Patience = {
  /** From the connection to its first call. Default 10 s. */
  firstCallMs?: number;
  /** From the admission of a call to the first byte of its request. Default 10 s. */
  firstByteMs?: number;
  /** From there to the end of a request that is one message. Default 2 minutes. */
  messageMs?: number;
  /** Between two messages of a stream of requests, and to take a piece of an answer. Default 1 minute. */
  idleMs?: number;
  /** Without a call on the connection. Default 1 minute. */
  connectionIdleMs?: number;
};

/** The bytes of the requests of one call, on their way. */
export type Arrival = {
  /** The call is admitted, and its bytes are awaited. */
  begin(admitted: AdmittedCall): void;
  /** A message has left: its bytes are no longer kept, nor what its pieces cost. */
  passedOn(bytes: number): void;
  /** The request is whole, or nobody waits for it any more. */
  end(): void;
};

/** Counts the bytes of a call as they arrive, and refuses a call that stalls, floods, or exceeds the memory left. */
export function watchArrival({
  stream,
  peer,
  isStream,
  refuse,
  patience,
  onUse,
}: {
  stream: ServerHttp2Stream;
  peer: string;
  isStream: boolean;
  refuse: (error: unknown) => void;
  patience: Required<Patience>;
  onUse: (peer: string, bytes: number) => void;
}): Arrival {
  const smallPieces = createAllowance(SMALL_PIECES);
  let admitted: AdmittedCall | undefined;
  let arriving = false;
  let timer: NodeJS.Timeout | undefined;
  let pieceBytes = 0;
  const within = (ms: number, what: string) => {
    clearTimeout(timer);
    timer = setTimeout(() => refuse(new DrydockError('MALFORMED_REQUEST', `${what} within ${ms / 1000} s`)), ms);
  };
  onUse(peer, HEADER_BYTES);
  stream.on('data', (piece: Buffer) => {
    onUse(peer, piece.length);
    if (piece.length < SMALL_PIECE_BYTES && !smallPieces.take()) return stream.session?.destroy();
    if (!admitted) return;
    if (isStream) clearTimeout(timer);
    else if (!arriving) within(patience.messageMs, 'the request did not arrive');
    arriving = true;
    pieceBytes += PIECE_BYTES;
    try {
      admitted.arrived(piece.length + PIECE_BYTES);
    } catch (error) {
      refuse(error);
    }
  });
  // Only bytes that wait to be taken make silence a stall: a call may be quiet for as long as it lasts.
  stream.setTimeout(patience.idleMs, () => {
    if (stream.writableLength > 0) stream.close(constants.NGHTTP2_CANCEL);
  });
  return {
    begin(call) {
      admitted = call;
      within(patience.firstByteMs, 'no byte of the request arrived');
    },
    passedOn(bytes) {
      admitted?.passedOn(bytes + pieceBytes);
      pieceBytes = 0;
    },
    end() {
      clearTimeout(timer);
      if (!isStream) admitted = undefined;
    },
  };
}
