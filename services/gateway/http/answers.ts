import type { ServerResponse } from 'node:http';
import { isAbortError } from 'abort-controller-x';
import type { DrydockError } from '#libs/errors.ts';
import { findBytes } from '../wire.ts';
import { type Binding, isRaw } from './bindings.ts';
import { type HttpError, statusJson, toDrydockError } from './errors.ts';
import type { Transcoder } from './transcoding.ts';
import { ClientGone, createWriter } from './writer.ts';

const JSON_TYPE = 'application/json';
const HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

const NOTHING = new Uint8Array();
const EVENT_START = Buffer.from('data: ');
const LINE_END = Buffer.from('\n');

export type AnswerOptions = {
  transcoder: Transcoder;
  /** How long a client may take to read a piece. */
  idleMs: number;
  /** Hears of errors that come after the first byte, when the status has been sent. */
  onLateError: (error: DrydockError) => void;
};

/** Answers with one message as JSON. */
export async function answerOne(
  response: ServerResponse,
  binding: Binding,
  message: Uint8Array,
  { transcoder, idleMs }: AnswerOptions,
): Promise<void> {
  const json = await transcoder.encode(binding.descriptor.output, message, binding.responseBody?.jsonName ?? '');
  await answerJson(response, 200, {}, json, idleMs);
}

export async function answerError(response: ServerResponse, error: HttpError, idleMs: number): Promise<void> {
  await answerJson(response, error.status, error.headers, Buffer.from(`${JSON.stringify(error.body)}\n`), idleMs);
}

async function answerJson(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  json: Uint8Array,
  idleMs: number,
): Promise<void> {
  response.writeHead(status, { ...HEADERS, ...headers, 'content-type': JSON_TYPE, 'content-length': json.length });
  await createWriter(response, idleMs).end(json);
}

/**
 * Answers with a stream: raw bytes where the annotation names a field of bytes, else one JSON line for each message, or
 * server-sent events where the client prefers them. An error before the first message is the caller's to answer.
 */
export async function answerStream(
  response: ServerResponse,
  binding: Binding,
  messages: AsyncIterable<Uint8Array>,
  accept: string | undefined,
  options: AnswerOptions,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  const format = isRaw(binding.responseBody)
    ? rawFormat(binding.responseBody.number)
    : textFormat(binding, accept, options.transcoder);
  const writer = createWriter(response, options.idleMs);
  response.writeHead(200, { ...HEADERS, 'content-type': format.type });
  response.flushHeaders();
  try {
    for (let next = first; !next.done; next = await iterator.next())
      await writer.write(await format.message(next.value));
    await writer.end();
  } catch (error) {
    if (error instanceof ClientGone || response.destroyed || isAbortError(error)) throw error;
    const known = toDrydockError(error);
    options.onLateError(known);
    const last = format.error?.(JSON.stringify({ error: statusJson(known) }));
    // A body of raw bytes has no room for an error: that it was cut short is how it is told.
    if (last === undefined) response.destroy();
    else await writer.end(last);
  } finally {
    // Not awaited: the signal of a client that left ends its source.
    void iterator.return?.()?.catch(() => {});
  }
}

type Format = {
  type: string;
  message(message: Uint8Array): Uint8Array | Promise<Uint8Array>;
  /** What tells of an error after the first message; without it, the body is cut short. */
  error?: (json: string) => string;
};

function rawFormat(field: number): Format {
  return { type: 'application/octet-stream', message: (message) => findBytes(message, field) ?? NOTHING };
}

function textFormat({ descriptor, responseBody }: Binding, accept = '', transcoder: Transcoder): Format {
  const line = (message: Uint8Array) => transcoder.encode(descriptor.output, message, responseBody?.jsonName ?? '');
  return accept.includes('text/event-stream')
    ? {
        type: 'text/event-stream',
        message: async (message) => Buffer.concat([EVENT_START, await line(message), LINE_END]),
        error: (error) => `event: error\ndata: ${error}\n\n`,
      }
    : { type: 'application/x-ndjson', message: line, error: (error) => `${error}\n` };
}
