const encoder = new TextEncoder();
// A byte order mark is a part of the text, as it is of the file.
const decoder = new TextDecoder('utf-8', { ignoreBOM: true });

export const toBytes = (text: string): Uint8Array<ArrayBuffer> => encoder.encode(text);

/** Bytes that are not UTF-8 are replaced. */
export const toText = (bytes: Uint8Array): string => decoder.decode(bytes);

export function concat(pieces: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(pieces.reduce((bytes, piece) => bytes + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
