import { type DescField, type DescMessage, type JsonObject, type JsonValue, ScalarType } from '@bufbuild/protobuf';
import { fieldNamed, malformed } from './json-message.ts';

const MAX_PARAMETERS = 1_000;

/** Names and values of a raw query string, in order. Errors: MALFORMED_REQUEST. */
export function parseQuery(query: string): [name: string, value: string][] {
  const pairs = query.split('&', MAX_PARAMETERS + 1).filter((pair) => pair !== '');
  if (pairs.length > MAX_PARAMETERS) throw malformed('', `the query has more than ${MAX_PARAMETERS} parameters`);
  return pairs.map((pair) => {
    const at = pair.indexOf('=');
    const [name, value] = at < 0 ? [pair, ''] : [pair.slice(0, at), pair.slice(at + 1)];
    try {
      return [decode(name), decode(value)];
    } catch {
      throw malformed('', 'the query is not valid percent-encoded UTF-8');
    }
  });
}

/**
 * Texts as the JSON of a message: `page_size` or `pageSize`, nested fields by dots, repeated ones repeated. Scalars,
 * enums and what JSON writes as a string (durations, timestamps, field masks) can be given; maps and messages cannot.
 * Errors: MALFORMED_REQUEST, naming the field. `taken` are the fields that must not come this way.
 */
export function textsToJson(
  descriptor: DescMessage,
  texts: Iterable<readonly [name: string, value: string]>,
  taken: ReadonlySet<string> = new Set(),
): JsonObject {
  const root: JsonObject = {};
  for (const [path, text] of texts) {
    const { field, parent } = find(descriptor, root, path);
    if (field.parent === descriptor && taken.has(field.name)) throw malformed(path, 'is not taken from the query');
    const value = leafOf(field, path, text);
    if (field.fieldKind === 'list') {
      const list = (parent[field.jsonName] ?? []) as JsonValue[];
      list.push(value);
      parent[field.jsonName] = list;
      continue;
    }
    if (Object.hasOwn(parent, field.jsonName)) throw malformed(path, 'is given more than once');
    parent[field.jsonName] = value;
  }
  return root;
}

/** A field by its dotted path, and the object that its value belongs in. */
function find(descriptor: DescMessage, root: JsonObject, path: string): { field: DescField; parent: JsonObject } {
  const names = path.split('.');
  const last = names.pop()!;
  let message = descriptor;
  let parent = root;
  for (const name of names) {
    const field = fieldNamed(message, name);
    if (field?.fieldKind !== 'message') throw malformed(path, 'is unknown');
    message = field.message;
    const inner = parent[field.jsonName] ?? {};
    if (typeof inner !== 'object') throw malformed(path, 'is given more than once');
    parent[field.jsonName] = inner;
    parent = inner as JsonObject;
  }
  const field = fieldNamed(message, last);
  if (!field) throw malformed(path, 'is unknown');
  return { field, parent };
}

function leafOf(field: DescField, path: string, text: string): JsonValue {
  if (field.fieldKind === 'map') throw malformed(path, 'is a map and cannot be given in the query');
  const isText = field.message === undefined || field.message.typeName.startsWith('google.protobuf.');
  if (!isText) throw malformed(path, 'is a message; give its fields, by dots');
  if (field.enum && /^-?\d+$/.test(text)) return Number(text);
  if (field.scalar === ScalarType.BOOL && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

const decode = (text: string) => decodeURIComponent(text.replaceAll('+', ' '));
