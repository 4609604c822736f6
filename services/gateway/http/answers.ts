import type { ServerResponse } from 'node:http';
import { isAbortError } from 'abort-controller-x';
import type { DrydockError } from '#libs/errors.ts';
import { type Binding, isRaw } from './bindings.ts';
import { type HttpError, statusJson, toDrydockError } from './errors.ts';
import { jsonOf } from './json-message.ts';
import { ClientGone, createWriter } from './writer.ts';

const JSON_TYPE = 'application/json';
const HEADERS = { 'x-content-type-options': 'nosniff', 'cache-control': 'no-store' };

export type AnswerOptions = {
  /** How long a client may take to read a piece. */
  idleMs: number;
  /** Hears of errors that come after the first byte, when the status has been sent. */
  onLateError: (error: DrydockError) => void;
};

type Encode = (message: unknown) => Uint8Array;

/** Answers with one message as JSON. */
export async function answerOne(
  response: ServerResponse,
  binding: Binding,
  message: unknown,
  { idleMs }: AnswerOptions,
): Promise<void> {
  const json = jsonOf(binding.descriptor.output, encoderOf(binding)(message), binding.responseBody);
  await answerJson(response, 200, {}, json, idleMs);
}

export async function answerError(response: ServerResponse, error: HttpError, idleMs: number): Promise<void> {
  await answerJson(response, error.status, error.headers, error.body, idleMs);
}

async function answerJson(
  response: ServerResponse,
  status: number,
  headers: Record<string, string>,
  json: unknown,
  idleMs: number,
): Promise<void> {
  const body = Buffer.from(`${JSON.stringify(json)}\n`);
  response.writeHead(status, { ...HEADERS, ...headers, 'content-type': JSON_TYPE, 'content-length': body.length });
  await createWriter(response, idleMs).end(body);
}

/**
 * Answers with a stream: raw bytes where the annotation names a field of bytes, else one JSON line for each message, or
 * server-sent events where the client prefers them. An error before the first message is the caller's to answer.
 */
export async function answerStream(
  response: ServerResponse,
  binding: Binding,
  messages: AsyncIterable<unknown>,
  accept: string | undefined,
  options: AnswerOptions,
): Promise<void> {
  const iterator = messages[Symbol.asyncIterator]();
  const first = await iterator.next();
  const format = isRaw(binding.responseBody) ? rawFormat(binding.responseBody.localName) : textFormat(binding, accept);
  const writer = createWriter(response, options.idleMs);
  response.writeHead(200, { ...HEADERS, 'content-type': format.type });
  response.flushHeaders();
  try {
    for (let next = first; !next.done; next = await iterator.next()) await writer.write(format.message(next.value));
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
    // Not awaited: what feeds a client that is gone ends by its signal.
    void iterator.return?.()?.catch(() => {});
  }
}

type Format = { type: string; message(message: unknown): Uint8Array | string; error?: (json: string) => string };

function rawFormat(field: string): Format {
  return { type: 'application/octet-stream', message: (message) => (message as Record<string, Uint8Array>)[field]! };
}

function textFormat(binding: Binding, accept = ''): Format {
  const encode = encoderOf(binding);
  const json = (message: unknown) =>
    JSON.stringify(jsonOf(binding.descriptor.output, encode(message), binding.responseBody));
  return accept.includes('text/event-stream')
    ? {
        type: 'text/event-stream',
        message: (message) => `data: ${json(message)}\n\n`,
        error: (error) => `event: error\ndata: ${error}\n\n`,
      }
    : { type: 'application/x-ndjson', message: (message) => `${json(message)}\n`, error: (error) => `${error}\n` };
}

function encoderOf({ method }: Binding): Encode {
  const { responseType } = method.method;
  return (message) => responseType.encode(message).finish();
}
