import { DrydockError } from '#libs/errors.ts';

/** How a value is written: the low three bits of its tag. Groups (3, 4) are not part of proto3. */
export const WireType = { VARINT: 0, FIXED64: 1, BYTES: 2, FIXED32: 5 } as const;
export type WireType = (typeof WireType)[keyof typeof WireType];

/** A place in the bytes of a message. */
export type Wire = { bytes: Uint8Array; at: number };

const MAX_VARINT_BYTES = 10;
const WIRE_TYPES: ReadonlySet<number> = new Set(Object.values(WireType));
const MAX_TAG = 2 ** 32;

/** Reads a field's number and how its value is written. Throws MALFORMED_REQUEST. */
export function readTag(wire: Wire, end: number): { number: number; wireType: WireType } {
  const tag = readVarint(wire, end);
  const wireType = tag % 8;
  const number = (tag - wireType) / 8;
  if (tag >= MAX_TAG || number < 1 || !WIRE_TYPES.has(wireType)) throw malformed();
  return { number, wireType: wireType as WireType };
}

/** Reads a signed 64-bit integer; beyond 2^53 it is not exact. Throws MALFORMED_REQUEST. */
export function readVarint(wire: Wire, end: number): number {
  const { bytes } = wire;
  let value = 0;
  let scale = 1;
  for (let length = 0; length < MAX_VARINT_BYTES && wire.at < end; length++) {
    const byte = bytes[wire.at++]!;
    value += (byte & 0x7f) * scale;
    scale *= 128;
    if (byte < 0x80) return value >= 2 ** 63 ? exactNegative(bytes, wire.at - length - 1) : value;
  }
  throw malformed();
}

/** Negative numbers are written as their two's complement, which a float does not hold exactly. */
function exactNegative(bytes: Uint8Array, from: number): number {
  let value = 0n;
  let shift = 0n;
  for (let at = from; ; at++) {
    value |= BigInt(bytes[at]! & 0x7f) << shift;
    shift += 7n;
    if (bytes[at]! < 0x80) return Number(BigInt.asIntN(64, value));
  }
}

/** Passes over a value. Throws MALFORMED_REQUEST if it reaches beyond `end`. */
export function skipValue(wire: Wire, end: number, wireType: WireType): void {
  if (wireType === WireType.VARINT) return void readVarint(wire, end);
  const length = wireType === WireType.BYTES ? readVarint(wire, end) : wireType === WireType.FIXED64 ? 8 : 4;
  if (length < 0 || wire.at + length > end) throw malformed();
  wire.at += length;
}

/** The bytes of the last field of a number that is written as bytes, without a copy; undefined if there is none. */
export function findBytes(bytes: Uint8Array, field: number): Uint8Array | undefined {
  const wire: Wire = { bytes, at: 0 };
  let found: Uint8Array | undefined;
  while (wire.at < bytes.length) {
    const { number, wireType } = readTag(wire, bytes.length);
    const before = wire.at;
    skipValue(wire, bytes.length, wireType);
    if (number !== field || wireType !== WireType.BYTES) continue;
    const start: Wire = { bytes, at: before };
    const length = readVarint(start, bytes.length);
    found = bytes.subarray(start.at, start.at + length);
  }
  return found;
}

/** Of bytes that are no message. */
export const malformed = () =>
  new DrydockError('MALFORMED_REQUEST', 'the bytes are not the message that the method takes');
