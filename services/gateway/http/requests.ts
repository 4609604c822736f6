import type { IncomingMessage } from 'node:http';
import type { DescMessage, JsonObject } from '@bufbuild/protobuf';
import { create, toBinary } from '@bufbuild/protobuf';
import { type Binding, isRaw } from './bindings.ts';
import { type Intake, readBody, readPieces } from './body.ts';
import { parseQuery, textsToJson } from './query.ts';
import type { Route } from './router.ts';
import type { Transcoder } from './transcoding.ts';

const NOTHING = new Uint8Array();

/**
 * The bytes of what a request says, as the method takes it: of one message, or of a stream whose first message has the path and
 * the query, and whose later ones have the pieces of the body. Errors: those of `Transcoder` and `readBody`.
 */
export async function readRequest(
  { binding, fields }: Route,
  request: IncomingMessage,
  query: string,
  transcoder: Transcoder,
  intake: Intake,
): Promise<Uint8Array | AsyncIterable<Uint8Array>> {
  const { body, descriptor, method } = binding;
  const { input } = descriptor;
  const given: JsonObject[] = [textsToJson(input, parseQuery(query), takenBy(binding)), textsToJson(input, fields)];
  if (method.method.requestStream) {
    const first = await transcoder.decode(input, NOTHING, '', given);
    return pieces(first, input, binding, readPieces(request, intake));
  }
  const bytes = body ? await readBody(request, intake) : NOTHING;
  if (isRaw(body)) {
    const message = await transcoder.decode(input, NOTHING, '', given);
    return Buffer.concat([message, withBytes(input, body.localName, bytes)]);
  }
  return transcoder.decode(input, bytes, typeof body === 'object' ? body.jsonName : '', given);
}

/** Fields that the query must not carry, since the path or the body does. */
function takenBy({ template, body, descriptor }: Binding): Set<string> {
  if (body === '*') return new Set(descriptor.input.fields.map(({ name }) => name));
  return new Set([...template.fields, ...(body ? [body.name] : [])]);
}

async function* pieces(
  first: Uint8Array,
  input: DescMessage,
  { body }: Binding,
  bytes: AsyncIterable<Buffer>,
): AsyncIterable<Uint8Array> {
  yield first;
  if (isRaw(body)) for await (const piece of bytes) yield withBytes(input, body.localName, piece);
}

/** A message with one field of bytes. */
function withBytes(descriptor: DescMessage, field: string, bytes: Uint8Array): Uint8Array {
  return toBinary(descriptor, Object.assign(create(descriptor), { [field]: bytes }));
}
