import { type DescField, type DescMessage, type ScalarType, ScalarType as Type } from '@bufbuild/protobuf';
import fc from 'fast-check';
import type { ItemLimits } from './message-limits.ts';

const MAX_ITEMS = 4;
const MAX_TEXT = 12;
/** What JSON can write of a time from 1970 on, before which owners write parts of a second another way, and of a duration. */
const TIMES = { min: 0, max: 253_402_300_799 };
const DURATIONS = { min: 0, max: 315_576_000_000 };

type Value = fc.Arbitrary<unknown>;

/** Any message within the limits of its contract, as `create` takes it. Messages in it go `depth` deep. */
export function anyMessage(descriptor: DescMessage, limits: ItemLimits, depth = 3): fc.Arbitrary<object> {
  const foreign = anyForeign(descriptor);
  if (foreign) return foreign;
  const fields = descriptor.fields.filter((field) => depth > 0 || !field.message);
  const members: [string, Value][] = fields
    .filter(({ oneof }) => !oneof)
    .map((field) => [field.localName, anyField(field, limits, depth)]);
  for (const { localName, fields: cases } of descriptor.oneofs) {
    const known = cases.filter((field) => fields.includes(field));
    const each = known.map((field) =>
      anyField(field, limits, depth).map((value) => ({ case: field.localName, value })),
    );
    if (each.length > 0) members.push([localName, fc.oneof(...each)]);
  }
  return fc.record(Object.fromEntries(members), { requiredKeys: [] });
}

/** Messages whose JSON is a text, which not all of their values have. */
function anyForeign({ typeName }: DescMessage): fc.Arbitrary<object> | undefined {
  const seconds = (range: { min: number; max: number }, step: number) => {
    const nanos = fc.nat(1e9 / step - 1).map((steps) => steps * step);
    return fc.record({ seconds: fc.integer(range).map(BigInt), nanos });
  };
  // Owners keep times as dates, which have milliseconds.
  if (typeName === 'google.protobuf.Timestamp') return seconds(TIMES, 1e6);
  if (typeName === 'google.protobuf.Duration') return seconds(DURATIONS, 1);
  if (typeName !== 'google.protobuf.FieldMask') return undefined;
  const path = fc.stringMatching(/^[a-z]{1,8}(_[a-z]{1,8}){0,2}$/);
  return fc.record({ paths: fc.array(path, { maxLength: MAX_ITEMS }) });
}

function anyField(field: DescField, limits: ItemLimits, depth: number): Value {
  const value = anyValue(field, limits, depth);
  if (field.fieldKind === 'list') return fc.array(value, { maxLength: Math.min(MAX_ITEMS, limits(field)) });
  if (field.fieldKind !== 'map') return value;
  const name = anyText.filter((text) => text !== '__proto__');
  const entries = fc.array(fc.tuple(name, value), { maxLength: Math.min(MAX_ITEMS, limits(field)) });
  return entries.map((pairs) => Object.fromEntries(pairs));
}

/** A field as if it were there once, or a value of a map. */
function anyValue({ message, enum: values, scalar }: DescField, limits: ItemLimits, depth: number): Value {
  if (message) return anyMessage(message, limits, depth - 1);
  if (values) return fc.constantFrom(...values.values.map(({ number }) => number));
  return anyScalar(scalar!);
}

const anyText = fc.oneof(
  fc.string({ unit: 'grapheme', maxLength: MAX_TEXT }),
  fc.constantFrom('__proto__', 'constructor', 'toString', '', '\0', '\u2028'),
);
const anySafe = fc.maxSafeInteger();

function anyScalar(scalar: ScalarType): Value {
  switch (scalar) {
    case Type.STRING:
      return anyText;
    case Type.BYTES:
      return fc.uint8Array({ maxLength: MAX_TEXT });
    case Type.BOOL:
      return fc.boolean();
    case Type.DOUBLE:
      return fc.double();
    case Type.FLOAT:
      return fc.float();
    case Type.INT64:
      return anySafe.map(BigInt);
    case Type.UINT64:
      return anySafe.map((value) => BigInt(Math.abs(value)));
    case Type.UINT32:
      return fc.nat(2 ** 31 - 1);
    case Type.INT32:
      return fc.integer();
    default:
      throw new Error(`no values for fields of type ${Type[scalar]}`);
  }
}
