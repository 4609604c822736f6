import {
  create,
  type DescField,
  type DescMessage,
  fromBinary,
  type JsonObject,
  type JsonValue,
  mergeFromJson,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { DrydockError } from '#libs/errors.ts';
import { scanJson } from './json-scan.ts';

const MAX_DESCRIPTION_LENGTH = 200;
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
      throw malformed(locate(descriptor, part), readable(error));
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

/** The field that cannot be read, by trying one after the other; as `limits.memoryBytes` or `files[2].name`. */
function locate(descriptor: DescMessage, json: JsonValue): string {
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return '';
  for (const [key, value] of Object.entries(json)) {
    const field = fieldNamed(descriptor, key);
    if (!field) return key;
    if (isReadable(descriptor, { [key]: value as JsonValue })) continue;
    return key + locateInside(field, value as JsonValue);
  }
  return '';
}

function locateInside(field: DescField, value: JsonValue): string {
  if (field.fieldKind === 'message') return dotted(locate(field.message, value));
  if (field.fieldKind !== 'list' || field.listKind !== 'message' || !Array.isArray(value)) return '';
  const index = value.findIndex((item) => !isReadable(field.message, item));
  return index < 0 ? '' : `[${index}]${dotted(locate(field.message, value[index]!))}`;
}

const dotted = (path: string) => (path ? `.${path}` : '');

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
  return text.length > MAX_DESCRIPTION_LENGTH ? `${text.slice(0, MAX_DESCRIPTION_LENGTH)}…` : text;
}
