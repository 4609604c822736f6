import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type JsonObject,
  type JsonValue,
  mergeFromJson,
  ScalarType,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { DrydockError } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import { scanJson } from './json-scan.ts';

const MAX_DESCRIPTION_LENGTH = 200;
/** What messages must be that are no objects in JSON. */
const FORMS: Readonly<Record<string, string>> = {
  'google.protobuf.Duration': 'must be a text of seconds, such as "2s" or "0.5s"',
  'google.protobuf.Timestamp': 'must be a text such as "2026-01-31T12:00:00Z"',
  'google.protobuf.FieldMask': 'must be a text of names with commas between them, such as "limits,metadata"',
};
/** A character may be escaped. */
const MAY_NAME_PROTOTYPE = /__proto__|\\u/;

/**
 * The bytes of a message from the proto3 JSON mapping: a body, which is the field `bodyField` or, with an empty name, the whole
 * message, and parts that go over it. Errors: MALFORMED_REQUEST, naming the field, and REQUEST_TOO_LARGE.
 */
export function messageFromJson(
  descriptor: DescMessage,
  body: Uint8Array,
  bodyField: string,
  given: readonly JsonValue[],
): Uint8Array<ArrayBuffer> {
  const message = create(descriptor);
  const json = body.length === 0 ? [] : [parseJson(body)];
  for (const part of [...json.map((value) => (bodyField ? { [bodyField]: value } : value)), ...given]) {
    try {
      mergeFromJson(descriptor, message, part);
    } catch (error) {
      const { path, field } = locate(descriptor, part);
      throw malformed(path, (field && formOf(field)) || readable(error));
    }
  }
  return toBinary(descriptor, message);
}

/**
 * The proto3 JSON mapping of a message, or of the field of it that `only` names, as one line with its end. Fields without
 * presence are always there, so that `[]`, `0` and `""` can be read.
 */
export function messageToJson(descriptor: DescMessage, message: Uint8Array, only: string): Uint8Array<ArrayBuffer> {
  const json = toJson(descriptor, fromBinary(descriptor, message), { alwaysEmitImplicit: true }) as JsonObject;
  return new TextEncoder().encode(`${JSON.stringify(only ? (json[only] ?? null) : json)}\n`);
}

function parseJson(bytes: Uint8Array): JsonValue {
  scanJson(bytes);
  let text: string;
  try {
    text = new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new DrydockError('MALFORMED_REQUEST', 'the body is not valid UTF-8');
  }
  try {
    return MAY_NAME_PROTOTYPE.test(text) ? JSON.parse(text, refusePrototype) : JSON.parse(text);
  } catch (error) {
    if (error instanceof DrydockError) throw error;
    throw new DrydockError('MALFORMED_REQUEST', `the body is not JSON: ${clipped((error as Error).message)}`);
  }
}

/** Messages keep maps in objects, where an entry of this name is lost. */
function refusePrototype(name: string, value: unknown): unknown {
  if (name === '__proto__') throw malformed(name, 'is a name that cannot be used');
  return value;
}

/** MALFORMED_REQUEST that names a field; the empty name is the message itself. */
export function malformed(field: string, description: string): DrydockError {
  if (!field) return new DrydockError('MALFORMED_REQUEST', description);
  return new DrydockError('MALFORMED_REQUEST', `${field}: ${description}`, { fields: [{ field, description }] });
}

/** A path such as `limits.memoryBytes` or `files[2].name`, and the field that it leads to, if that is known. */
type Place = { path: string; field?: DescField | undefined };

/** The field that cannot be read, by trying one after the other. */
function locate(descriptor: DescMessage, json: JsonValue): Place {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return { path: '' };
  for (const [key, value] of Object.entries(json)) {
    const field = fieldNamed(descriptor, key);
    if (!field) return { path: key };
    if (isReadable(descriptor, { [key]: value as JsonValue })) continue;
    const inside = locateInside(field, value as JsonValue);
    return { path: key + inside.path, field: inside.path ? inside.field : field };
  }
  return { path: '' };
}

function locateInside(field: DescField, value: JsonValue): Place {
  if (field.fieldKind === 'message') return dotted(locate(field.message, value));
  if (field.fieldKind !== 'list' || field.listKind !== 'message' || !Array.isArray(value)) return { path: '' };
  const index = value.findIndex((item) => !isReadable(field.message, item));
  if (index < 0) return { path: '' };
  const { path, field: inner } = dotted(locate(field.message, value[index]!));
  return { path: `[${index}]${path}`, field: path ? inner : field };
}

/** What a field of a type with a form of its own must be; undefined for others, about which the decoder says enough. */
function formOf(field: DescField): string | undefined {
  if (field.message) return FORMS[field.message.typeName];
  if (field.enum) return `must be one of ${field.enum.values.map(({ name }) => name).join(', ')}`;
  if (field.fieldKind === 'scalar' && field.scalar === ScalarType.BYTES) return 'must be a text in base64';
  return undefined;
}

const dotted = ({ path, field }: Place): Place => ({ path: path ? `.${path}` : '', field });

function isReadable(descriptor: DescMessage, json: JsonValue): boolean {
  try {
    mergeFromJson(descriptor, create(descriptor), json);
    return true;
  } catch {
    return false;
  }
}

/** A field by its name in JSON or in the proto. */
export function fieldNamed(descriptor: DescMessage, name: string): DescField | undefined {
  return descriptor.fields.find((field) => field.jsonName === name || field.name === name);
}

/** What the decoder says, without the names of its types. */
function readable(error: unknown): string {
  const message = error instanceof Error ? error.message : String(error);
  if (/key ".*" is unknown$/s.test(message)) return 'is unknown';
  return clipped(message.replace(/^cannot decode .*? from JSON:? ?/s, '')) || 'cannot be read';
}

function clipped(text: string): string {
  return text.length > MAX_DESCRIPTION_LENGTH ? `${firstCharacters(text, MAX_DESCRIPTION_LENGTH)}…` : text;
}
