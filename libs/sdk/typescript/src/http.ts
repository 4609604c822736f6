import { fromBinary, fromJson, type JsonObject, type JsonValue, toBinary, toJson } from '@bufbuild/protobuf';
import { ConnectionLostError, type DrydockError, TimeoutError } from './errors.ts';
import { fromHttp, fromStatus, type StatusJson } from './http-errors.ts';
import { type Route, routeOf, type Target, targetOf } from './http-routes.ts';
import type { Settings } from './settings.ts';
import { CODE } from './status.ts';
import { startTimer } from './timers.ts';
import type { Bound, Message, Method, Transport, Try } from './transport.ts';

/** Of the header with the time that a call may take, in milliseconds. */
const MAX_TIMEOUT_DIGITS = 8;

/**
 * Calls by HTTP with JSON, through `fetch`, which is what a browser has. An answer is read as it comes. What is uploaded is gathered
 * before it is sent: browsers stream no body over HTTP/1.1.
 */
export function openHttp({ url }: Settings): Transport {
  return {
    async unary(call, bound, request) {
      const route = routeOf(bound);
      using followed = follow(call, url);
      return await followed.explained(async () => {
        const response = await open(followed, targetOf(route, toFields(route, bound.method, request)));
        return readAnswer(await response.text(), route, bound.method, followed.failure(response));
      });
    },

    async *stream(call, bound, request) {
      const route = routeOf(bound);
      using followed = follow(call, url);
      const target = targetOf(route, toFields(route, bound.method, request));
      const response = await followed.explained(() => open(followed, target));
      const messages = readMessages(response, route, bound.method, followed.failure(response));
      try {
        for (;;) {
          const next = await followed.explained(() => messages.next());
          if (next.done) return;
          yield next.value;
        }
      } finally {
        await messages.return();
      }
    },

    async upload(call, bound, requests) {
      const route = routeOf(bound);
      using followed = follow(call, url);
      return await followed.explained(async () => {
        const target = await gather(followed.signal, route, bound, requests);
        const response = await open(followed, target);
        return readAnswer(await response.text(), route, bound.method, followed.failure(response));
      });
    },

    close() {},
  };
}

type Followed = ReturnType<typeof follow>;
type Fail = (status: StatusJson) => DrydockError;

/** Follows a call until it is disposed: it ends with the caller's signal and at its deadline, and fails as callers know it. */
function follow({ credential, deadline, signal, trace }: Try, url: string) {
  const ending = new AbortController();
  const end = () => ending.abort(signal.reason);
  if (signal.aborted) end();
  else signal.addEventListener('abort', end, { once: true });
  const late = () => ending.abort(new TimeoutError('no answer within requestTimeout'));
  const left = deadline === undefined ? undefined : Math.max(1, Math.ceil(deadline - Date.now()));
  const clear = left === undefined ? () => {} : startTimer(left, late);
  return {
    url,
    credential,
    trace,
    left,
    signal: ending.signal,
    failure:
      (response: Response): Fail =>
      (status) =>
        fromStatus(status, response.headers.get('x-request-id') ?? undefined, url),
    async explained<T>(work: () => Promise<T>): Promise<T> {
      try {
        return await work();
      } catch (error) {
        if (ending.signal.aborted) throw ending.signal.reason;
        // Of fetch and of bodies: the connection could not be made, or broke.
        if (error instanceof TypeError || (error as Error).name === 'AbortError')
          throw new ConnectionLostError(`${url} cannot be reached: ${(error as Error).message}`, { cause: error });
        throw error;
      }
    },
    [Symbol.dispose]() {
      clear();
      signal.removeEventListener('abort', end);
      // What is still read of it ends too.
      ending.abort();
    },
  };
}

async function open(
  { url, credential, trace, left, signal }: Followed,
  { verb, path, body }: Target,
): Promise<Response> {
  const headers: Record<string, string> = { ...trace, authorization: `Bearer ${credential}` };
  if (left !== undefined && `${left}`.length <= MAX_TIMEOUT_DIGITS) headers['grpc-timeout'] = `${left}m`;
  if (typeof body === 'string') headers['content-type'] = 'application/json';
  const init: RequestInit = { method: verb, headers, signal, redirect: 'error', credentials: 'omit' };
  const response = await fetch(`${url}${path}`, body === undefined ? init : { ...init, body });
  if (!response.ok) throw fromHttp(response, await response.text(), url);
  return response;
}

function toFields({ input }: Route, { requestType }: Method, request: unknown): JsonObject {
  return toJson(input, fromBinary(input, requestType.encode(request).finish())) as JsonObject;
}

/** A message from its JSON. What a newer server adds is ignored. */
function toMessage<M extends Method>({ output }: Route, { responseType }: M, json: JsonValue) {
  const message = fromJson(output, json, { ignoreUnknownFields: true });
  return responseType.decode(toBinary(output, message)) as Message<M['responseType']>;
}

function readAnswer<M extends Method>(text: string, route: Route, method: M, fail: Fail): Message<M['responseType']> {
  try {
    const json = JSON.parse(text) as JsonValue;
    return toMessage(route, method, route.responseBody ? { [route.responseBody.jsonName]: json } : json);
  } catch {
    throw fail({ code: CODE.INTERNAL, message: 'the answer cannot be read' });
  }
}

/** The messages of an answer: raw bytes where the route names a field of bytes, else one line of JSON each. */
async function* readMessages<M extends Method>(
  { body }: Response,
  route: Route,
  method: M,
  fail: Fail,
): AsyncGenerator<Message<M['responseType']>, void, undefined> {
  const reader = body!.getReader();
  const decoder = new TextDecoder();
  let rest = '';
  try {
    for (let next = await reader.read(); !next.done; next = await reader.read()) {
      if (route.responseBody) {
        yield Object.assign(method.responseType.create(), { [route.responseBody.localName]: next.value });
        continue;
      }
      const lines = (rest + decoder.decode(next.value, { stream: true })).split('\n');
      rest = lines.pop()!;
      for (const line of lines) yield readLine(line, route, method, fail);
    }
  } finally {
    // The signal of the call ends it too.
    reader.cancel().catch(() => {});
  }
}

function readLine<M extends Method>(line: string, route: Route, method: M, fail: Fail) {
  const json = JSON.parse(line) as JsonObject;
  // What went wrong once the answer had begun.
  if (json.error) throw fail(json.error as StatusJson);
  return toMessage(route, method, json);
}

/** The first message of an upload has what path and query say, all of them a piece of the body. */
async function gather<M extends Method>(
  signal: AbortSignal,
  route: Route,
  { method }: Bound<M>,
  requests: AsyncIterable<Message<M['requestType']>>,
): Promise<Target> {
  const field = (route.body as { localName: string }).localName;
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let head: JsonObject | undefined;
  let stop = () => {};
  const stopped = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
  });
  stopped.catch(() => {});
  const source = requests[Symbol.asyncIterator]();
  try {
    for (;;) {
      signal.throwIfAborted();
      const next = await Promise.race([source.next(), stopped]);
      if (next.done) break;
      head ??= toFields(route, method, { ...next.value, [field]: new Uint8Array() });
      pieces.push(next.value[field]);
    }
  } finally {
    signal.removeEventListener('abort', stop);
    // Not awaited: a source that is silent ends when it speaks again.
    source.return?.().catch(() => {});
  }
  return { ...targetOf(route, head ?? {}), body: new Blob(pieces) };
}
