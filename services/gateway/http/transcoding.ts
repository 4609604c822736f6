import {
  type DescField,
  type DescMessage,
  type FileRegistry,
  fromBinary,
  fromJson,
  type JsonObject,
  type JsonValue,
  ScalarType,
  toBinary,
  toJson,
} from '@bufbuild/protobuf';
import { DrydockError } from '#libs/errors.ts';
import type { MethodDefinition } from '#libs/grpc/rpc.ts';
import type { Binding } from './bindings.ts';

/** A request's message from its parts. Errors: MALFORMED_REQUEST, which names the field. */
export function toRequest(
  { definition, name, method }: Binding,
  registry: FileRegistry,
  parts: { body: JsonObject; query: URLSearchParams; path: Record<string, string> },
): unknown {
  const json: JsonObject = { ...parts.body, ...queryToJson(method.input, parts.query) };
  for (const [variable, value] of Object.entries(parts.path)) {
    const field = method.input.fields.find((field) => field.name === variable);
    delete json[variable];
    json[field?.jsonName ?? variable] = value;
  }
  try {
    const message = fromJson(method.input, json, { registry });
    return methodOf(definition.methods, name).requestType.decode(toBinary(method.input, message));
  } catch (error) {
    throw new DrydockError('MALFORMED_REQUEST', readable(error), { cause: error });
  }
}

/** A response as JSON: the whole message, or the one field that makes up the body. */
export function toResponse({ definition, name, method, responseField }: Binding, registry: FileRegistry, response: unknown): JsonValue {
  const bytes = methodOf(definition.methods, name).responseType.encode(response).finish();
  const json = toJson(method.output, fromBinary(method.output, bytes), { registry, alwaysEmitImplicit: true }) as JsonObject;
  return responseField ? (json[responseField.jsonName] ?? null) : json;
}

/** A JSON object from the text of a body. Errors: MALFORMED_REQUEST. */
export function parseBody(text: string): JsonObject {
  if (text.trim() === '') return {};
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new DrydockError('MALFORMED_REQUEST', `the body is not JSON: ${(error as Error).message}`, { cause: error });
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new DrydockError('MALFORMED_REQUEST', 'the body is not a JSON object');
  return value as JsonObject;
}

/** Query parameters as the JSON of a message: `a.b=1` is nested, a repeated name is a list. */
export function queryToJson(message: DescMessage, query: URLSearchParams): JsonObject {
  const json: JsonObject = {};
  for (const name of new Set(query.keys())) {
    let target = json;
    let current: DescMessage | undefined = message;
    const path = name.split('.');
    for (const [index, part] of path.entries()) {
      const field: DescField | undefined = current?.fields.find(({ name, jsonName }) => part === jsonName || part === name);
      if (!field) throw new DrydockError('MALFORMED_REQUEST', `there is no query parameter '${name.slice(0, 64)}'`);
      if (index < path.length - 1) {
        target = (target[field.jsonName] ??= {}) as JsonObject;
        current = field.fieldKind === 'message' ? field.message : undefined;
      } else target[field.jsonName] = field.fieldKind === 'list' ? query.getAll(name) : valueOf(field, query.get(name) ?? '');
    }
  }
  return json;
}

function valueOf(field: DescField, text: string): JsonValue {
  if (field.fieldKind !== 'scalar' || field.scalar !== ScalarType.BOOL) return text;
  if (text === 'true' || text === '') return true;
  return text === 'false' ? false : text;
}

export function methodOf(methods: Record<string, MethodDefinition>, name: string): MethodDefinition {
  const method = methods[name];
  if (!method) throw new Error(`there is no method ${name}`);
  return method;
}

// The library's words begin with the full name of a message, which means little to a caller.
function readable(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.replace(/drydock\.v1\./g, '').slice(0, 300);
}
