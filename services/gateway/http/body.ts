import type { IncomingMessage } from 'node:http';
import { DrydockError } from '#libs/errors.ts';
import type { Holding } from '../in-flight.ts';

/** Bytes of the largest JSON body. */
export const MAX_JSON_BYTES = 16 * 1024 * 1024;
/** Bytes of the pieces that a raw body is passed on in. */
const PIECE_BYTES = 64 * 1024;
/** How long a JSON body may take to arrive. */
const MAX_BODY_MS = 120_000;
/** How long a refused client may go on sending before it is cut off. */
const LINGER_MS = 10_000;

/** What reading a body needs. */
export type Intake = {
  /** Counts bytes that are kept. */
  held: Holding;
  /** Hears of bytes that the body consists of, without what frames them. */
  used: (bytes: number) => void;
  /** How long the body may pause. */
  idleMs: number;
};

/**
 * The whole body. Errors: REQUEST_TOO_LARGE, those of `Holding.take`, and MALFORMED_REQUEST if it stops arriving for `idleMs`, or
 * takes longer than two minutes.
 */
export async function readBody(request: IncomingMessage, intake: Intake): Promise<Uint8Array> {
  refuseEncoding(request);
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > MAX_JSON_BYTES) throw tooLarge();
  const end = performance.now() + MAX_BODY_MS;
  // Put together as it comes: a million pieces of one byte are a hundred times their length.
  let body = Buffer.allocUnsafeSlow(announced || PIECE_BYTES);
  let length = 0;
  for await (const piece of arriving(request, intake)) {
    const needed = length + piece.length;
    if (needed > MAX_JSON_BYTES) throw tooLarge();
    if (performance.now() > end) throw stalled();
    intake.held.take(piece.length);
    if (needed > body.length) body = Buffer.concat([body.subarray(0, length)], Math.max(needed, 2 * length));
    piece.copy(body, length);
    length = needed;
  }
  return body.subarray(0, length);
}

/** The body as it comes, in pieces of at most 64 KiB; the client is read no faster than the pieces are taken. */
export async function* readPieces(request: IncomingMessage, intake: Intake): AsyncIterable<Buffer> {
  refuseEncoding(request);
  for await (const piece of arriving(request, intake)) {
    intake.held.take(piece.length);
    for (let at = 0; at < piece.length; at += PIECE_BYTES) yield piece.subarray(at, at + PIECE_BYTES);
    intake.held.give(piece.length);
  }
}

/** Lets the rest of a body go by, so that a client which is still sending reads the answer, but not for ever. */
export function discardRest(request: IncomingMessage, used: Intake['used']): void {
  if (request.complete || request.destroyed) return;
  const cut = setTimeout(() => request.destroy(), LINGER_MS);
  request.once('close', () => clearTimeout(cut));
  request.on('error', () => {});
  request.on('data', (piece: Buffer) => used(piece.length));
}

/** Waiting is only counted while somebody waits: a slow receiver is not a slow sender. */
async function* arriving(request: IncomingMessage, { used, idleMs }: Intake): AsyncIterable<Buffer> {
  const pieces = request.iterator({ destroyOnReturn: false });
  try {
    while (true) {
      const { promise: idle, reject } = Promise.withResolvers<never>();
      const timer = setTimeout(() => reject(stalled()), idleMs);
      const { value, done } = await Promise.race([pieces.next(), idle]).finally(() => clearTimeout(timer));
      if (done) return;
      used(value.length);
      yield value;
    }
  } finally {
    // Not awaited: while a piece is outstanding it would wait for that.
    void pieces.return?.(undefined)?.catch(() => {});
  }
}

function refuseEncoding({ headers }: IncomingMessage): void {
  const encoding = headers['content-encoding'];
  if (encoding && encoding !== 'identity')
    throw new DrydockError('MALFORMED_REQUEST', `the body must not be encoded, and is as '${encoding.slice(0, 50)}'`);
}

const stalled = () => new DrydockError('MALFORMED_REQUEST', 'the body stopped arriving');
const tooLarge = () => new DrydockError('REQUEST_TOO_LARGE', `the body is larger than ${MAX_JSON_BYTES} bytes`);
