import { type DescField, type DescMessage, ScalarType } from '@bufbuild/protobuf';
import { DrydockError, invalidField } from '#libs/errors.ts';
import type { ItemLimits } from './message-limits.ts';
import { malformed, readTag, readVarint, skipValue, type Wire, WireType } from './wire.ts';

/** Fields that one message may have, those of messages inside it among them, known or not. */
export const MAX_ELEMENTS = 200_000;
/** Owners keep maps in objects, where an entry of this name is lost. */
const LOST_NAME = Buffer.from('__proto__');

/**
 * Refuses the bytes of a message that would become more than its contract allows, without making an object of any part:
 * bytes that are no message, more items than a field's limit, numbers without meaning, groups.
 * Errors: MALFORMED_REQUEST, INVALID_FIELD, REQUEST_TOO_LARGE.
 */
export type Scan = (bytes: Uint8Array) => void;

type FieldShape = {
  name: string;
  wireType: WireType;
  /** A repeated number may come as one value with many in it. */
  packed: boolean;
  maxItems: number | undefined;
  /** Made when first met: a message may contain itself. */
  message: (() => MessageShape) | undefined;
  numbers: ReadonlySet<number> | undefined;
  isSafeInteger: boolean;
  isMapKey: boolean;
};
type MessageShape = ReadonlyMap<number, FieldShape>;

/** Where in a message, for errors: made of links, since most are never read. */
type Path = { above: Path | undefined; name: string; index: number | undefined } | undefined;

export function createScan(descriptor: DescMessage, limits: ItemLimits): Scan {
  const shapes = new Map<string, MessageShape>();
  const shape = shapeOf(descriptor, limits, shapes);
  return (bytes) => {
    const wire: Wire = { bytes, at: 0 };
    scanMessage(wire, bytes.length, shape, undefined, { elements: 0, depth: 0 });
  };
}

function shapeOf(descriptor: DescMessage, limits: ItemLimits, shapes: Map<string, MessageShape>): MessageShape {
  const known = shapes.get(descriptor.typeName);
  if (known) return known;
  const shape = new Map<number, FieldShape>();
  shapes.set(descriptor.typeName, shape);
  for (const field of descriptor.fields) shape.set(field.number, fieldShape(field, limits, shapes));
  return shape;
}

function fieldShape(field: DescField, limits: ItemLimits, shapes: Map<string, MessageShape>): FieldShape {
  const value = valueShape(field, limits, shapes);
  if (field.fieldKind === 'map') {
    const wireType = wireTypeOf(field.mapKey);
    const key = { ...value, wireType, message: undefined, numbers: undefined, isSafeInteger: false, isMapKey: true };
    const entry: MessageShape = new Map([
      [1, key],
      [2, value],
    ]);
    return { ...value, maxItems: limits(field), wireType: WireType.BYTES, message: () => entry, numbers: undefined };
  }
  if (field.fieldKind !== 'list') return value;
  return { ...value, maxItems: limits(field), packed: value.wireType !== WireType.BYTES };
}

/** A field as if it were there once, or the values of a map. */
function valueShape(field: DescField, limits: ItemLimits, shapes: Map<string, MessageShape>): FieldShape {
  const { jsonName: name, message, enum: values, scalar } = field;
  return {
    name,
    wireType: message ? WireType.BYTES : values ? WireType.VARINT : wireTypeOf(scalar!),
    packed: false,
    maxItems: undefined,
    message: message && (() => shapeOf(message, limits, shapes)),
    numbers: values && new Set(values.values.map(({ number }) => number)),
    isSafeInteger: scalar === ScalarType.INT64 || scalar === ScalarType.UINT64,
    isMapKey: false,
  };
}

function wireTypeOf(scalar: ScalarType): WireType {
  switch (scalar) {
    case ScalarType.STRING:
    case ScalarType.BYTES:
      return WireType.BYTES;
    case ScalarType.DOUBLE:
    case ScalarType.FIXED64:
    case ScalarType.SFIXED64:
      return WireType.FIXED64;
    case ScalarType.FLOAT:
    case ScalarType.FIXED32:
    case ScalarType.SFIXED32:
      return WireType.FIXED32;
    default:
      return WireType.VARINT;
  }
}

/** Of messages in messages. */
const MAX_DEPTH = 32;

type Count = { elements: number; depth: number };

function scanMessage(wire: Wire, end: number, shape: MessageShape, path: Path, count: Count): void {
  let items: Map<number, number> | undefined;
  while (wire.at < end) {
    const { number, wireType } = readTag(wire, end);
    countElement(count);
    const field = shape.get(number);
    if (!field || (field.wireType !== wireType && !(field.packed && wireType === WireType.BYTES))) {
      skipValue(wire, end, wireType);
      continue;
    }
    let index: number | undefined;
    if (field.maxItems !== undefined) {
      items ??= new Map();
      index = items.get(number) ?? 0;
      items.set(number, index + 1);
      if (index >= field.maxItems) throw tooMany(field, path);
    }
    if (field.packed && wireType === WireType.BYTES) {
      const more = scanPacked(wire, end, field, path, count, index!);
      items!.set(number, index! + more);
    } else scanValue(wire, end, field, { above: path, name: field.name, index }, count);
  }
  if (wire.at !== end) throw malformed();
}

function scanPacked(wire: Wire, end: number, field: FieldShape, path: Path, count: Count, before: number): number {
  const last = endOfValue(wire, end);
  let items = 0;
  while (wire.at < last) {
    countElement(count);
    if (before + items >= field.maxItems!) throw tooMany(field, path);
    scanValue(wire, last, field, { above: path, name: field.name, index: before + items }, count);
    items += 1;
  }
  return items;
}

function scanValue(wire: Wire, end: number, field: FieldShape, path: Path, count: Count): void {
  if (field.message) {
    if (count.depth === MAX_DEPTH) throw malformedField(path, `is nested more than ${MAX_DEPTH} deep`);
    count.depth += 1;
    scanMessage(wire, endOfValue(wire, end), field.message(), path, count);
    count.depth -= 1;
    return;
  }
  if (field.wireType !== WireType.VARINT) {
    const start = wire.at;
    skipValue(wire, end, field.wireType);
    if (field.isMapKey && isText(wire, start, LOST_NAME))
      throw malformedField(path?.above, `has the name ${LOST_NAME}, which cannot be used`);
    return;
  }
  const value = readVarint(wire, end);
  if (field.numbers && !field.numbers.has(Number(value)))
    throw malformedField(path, 'has a number that stands for no value');
  if (field.isSafeInteger && !Number.isSafeInteger(Number(value))) throw malformedField(path, 'is beyond 2^53');
}

/** Whether a value written as bytes is this text: its length, which is one byte, and the text. */
function isText({ bytes, at }: Wire, start: number, text: Buffer): boolean {
  return at - start === text.length + 1 && text.equals(bytes.subarray(start + 1, at));
}

function endOfValue(wire: Wire, end: number): number {
  const length = Number(readVarint(wire, end));
  const last = wire.at + length;
  if (length < 0 || last > end) throw malformed();
  return last;
}

function countElement(count: Count): void {
  count.elements += 1;
  if (count.elements > MAX_ELEMENTS)
    throw new DrydockError('REQUEST_TOO_LARGE', `the message has more than ${MAX_ELEMENTS} fields and items`);
}

function malformedField(path: Path, description: string): DrydockError {
  const field = textOf(path);
  return new DrydockError('MALFORMED_REQUEST', `${field}: ${description}`, { fields: [{ field, description }] });
}

function tooMany({ name, maxItems }: FieldShape, above: Path): DrydockError {
  return invalidField(textOf({ above, name, index: undefined }), `has more than ${maxItems} items`);
}

function textOf(path: Path): string {
  if (!path) return '';
  const own = path.index === undefined ? path.name : `${path.name}[${path.index}]`;
  return path.above ? `${textOf(path.above)}.${own}` : own;
}
