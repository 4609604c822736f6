import type { IncomingMessage } from 'node:http';
import type { DescMessage, JsonValue } from '@bufbuild/protobuf';
import type { MethodDefinition } from '#libs/grpc/rpc.ts';
import { type Binding, isRaw } from './bindings.ts';
import { readBody, readPieces } from './body.ts';
import { encodeMessage, malformed, messageOf, parseJson } from './json-message.ts';
import { parseQuery, textsToJson } from './query.ts';
import type { Route } from './router.ts';

/**
 * What a request says, as the method takes it: a message, or for a stream of requests an async iterable whose first
 * message has what the path and the query say, and whose later ones have the body's bytes. Errors: MALFORMED_REQUEST,
 * REQUEST_TOO_LARGE.
 */
export async function readRequest(
  { binding, fields }: Route,
  request: IncomingMessage,
  query: string,
  idleMs: number,
): Promise<unknown> {
  const { input } = binding.descriptor;
  const { requestType, requestStream } = binding.method.method;
  const given = [textsToJson(input, parseQuery(query), takenBy(binding)), textsToJson(input, fields)];
  if (requestStream) {
    const first = decode(requestType, input, given);
    return pieces(first, requestType, binding, readPieces(request, idleMs));
  }
  return decode(requestType, input, [...(await readJson(binding, request, idleMs)), ...given]);
}

async function readJson({ body }: Binding, request: IncomingMessage, idleMs: number): Promise<JsonValue[]> {
  if (!body) return [];
  const bytes = await readBody(request, idleMs);
  if (bytes.length === 0) return [];
  if (isRaw(body)) return [{ [body.jsonName]: bytes.toString('base64') }];
  return body === '*' ? [parseJson(bytes)] : [{ [body.jsonName]: parseJson(bytes) }];
}

/** Fields that the query must not carry, since the path or the body does. */
function takenBy({ template, body, descriptor }: Binding): Set<string> {
  if (body === '*') return new Set(descriptor.input.fields.map(({ name }) => name));
  return new Set([...template.fields, ...(body ? [body.name] : [])]);
}

async function* pieces(
  first: object,
  type: MethodDefinition['requestType'],
  { body }: Binding,
  bytes: AsyncIterable<Buffer>,
): AsyncIterable<object> {
  yield first;
  const empty = type.decode(new Uint8Array());
  if (isRaw(body)) for await (const piece of bytes) yield { ...empty, [body.localName]: piece };
}

function decode(type: MethodDefinition['requestType'], descriptor: DescMessage, parts: JsonValue[]): object {
  const bytes = encodeMessage(descriptor, messageOf(descriptor, parts));
  try {
    return type.decode(bytes);
  } catch {
    // JSON may give an enum as a number, which the descriptor takes whatever it is.
    throw malformed('', 'an enum has a number that stands for no value');
  }
}
