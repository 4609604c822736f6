const PIECE_BYTES = 256 * 1024;

/** Cuts bytes into messages of an upload. */
export function* piecesOfBytes(bytes: Uint8Array): Generator<Uint8Array, void, undefined> {
  for (let at = 0; at < bytes.length; at += PIECE_BYTES) yield bytes.subarray(at, at + PIECE_BYTES);
}
