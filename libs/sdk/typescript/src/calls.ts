import { type Client, Metadata, type ServiceError } from '@grpc/grpc-js';
import { idIn, toError } from './status.ts';

// biome-ignore lint/suspicious/noExplicitAny: messages of any type
type Codec<T = any> = { encode(message: T): { finish(): Uint8Array }; decode(bytes: Uint8Array): T };
export type Message<C> = C extends Codec<infer T> ? T : never;
export type Method = { readonly name: string; readonly requestType: Codec; readonly responseType: Codec };

/** One method, with the path it is called by. */
export type Bound<M extends Method> = { path: string; method: M };

/** One try of a call. */
export type Try = {
  client: Client;
  url: string;
  credential: string;
  deadline: number | undefined;
  signal: AbortSignal;
};

function headers({ credential, deadline }: Try): [Metadata, { deadline?: number }] {
  const metadata = new Metadata();
  metadata.set('authorization', `Bearer ${credential}`);
  return [metadata, deadline === undefined ? {} : { deadline }];
}

const toBuffer = (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength);
const encoder =
  ({ requestType }: Method) =>
  (message: unknown) =>
    toBuffer(requestType.encode(message).finish());
const decoder =
  ({ responseType }: Method) =>
  (bytes: Buffer) =>
    responseType.decode(bytes);

/** A call that can be ended, and says which request it was. */
type Cancellable = { cancel(): void; on(event: 'metadata', listener: (metadata: Metadata) => void): unknown };

/** Follows a call until it is `over`: it ends with the caller's signal, and its error is as callers know them. */
function follow({ signal, url }: Try, call: Cancellable): { over(): void; explain(error: unknown): unknown } {
  let requestId: string | undefined;
  call.on('metadata', (metadata) => {
    requestId = idIn(metadata);
  });
  const cancel = () => call.cancel();
  if (signal.aborted) cancel();
  else signal.addEventListener('abort', cancel, { once: true });
  return {
    over: () => signal.removeEventListener('abort', cancel),
    explain: (error) => (signal.aborted ? signal.reason : toError(error as ServiceError, requestId, url)),
  };
}

export function unaryOnce<M extends Method>(
  call: Try,
  { path, method }: Bound<M>,
  request: Message<M['requestType']>,
): Promise<Message<M['responseType']>> {
  return new Promise((resolve, reject) => {
    const begun = call.client.makeUnaryRequest(
      path,
      encoder(method),
      decoder(method),
      request,
      ...headers(call),
      (error, answer) => {
        followed.over();
        if (error) reject(followed.explain(error));
        else resolve(answer);
      },
    );
    const followed = follow(call, begun);
  });
}

export async function* streamOnce<M extends Method>(
  call: Try,
  { path, method }: Bound<M>,
  request: Message<M['requestType']>,
): AsyncGenerator<Message<M['responseType']>, void, undefined> {
  const begun = call.client.makeServerStreamRequest(path, encoder(method), decoder(method), request, ...headers(call));
  const followed = follow(call, begun);
  try {
    yield* begun;
  } catch (error) {
    throw followed.explain(error);
  } finally {
    followed.over();
    // What was under way may still end with the error of its end.
    begun.on('error', () => {});
    begun.cancel();
  }
}

/** Ends with the call, though `requests` may be silent then. */
export async function uploadOnce<M extends Method>(
  call: Try,
  { path, method }: Bound<M>,
  requests: AsyncIterable<Message<M['requestType']>>,
): Promise<Message<M['responseType']>> {
  let answered = false;
  let wake = () => {};
  let begun!: ReturnType<Client['makeClientStreamRequest']>;
  const answer = new Promise<Message<M['responseType']>>((resolve, reject) => {
    begun = call.client.makeClientStreamRequest(
      path,
      encoder(method),
      decoder(method),
      ...headers(call),
      (error, value) => {
        answered = true;
        followed.over();
        if (error) reject(followed.explain(error));
        else resolve(value);
        wake();
      },
    );
    const followed = follow(call, begun);
  });
  answer.catch(() => {});
  const untilAnswered = <T>(pending: Promise<T>): Promise<T | undefined> =>
    new Promise((resolve, reject) => {
      wake = () => resolve(undefined);
      pending.then(resolve, reject);
      if (answered) wake();
    });
  const source = requests[Symbol.asyncIterator]();
  try {
    while (!answered) {
      const next = await untilAnswered(source.next());
      if (!next || next.done) break;
      if (!begun.write(next.value)) await untilAnswered(new Promise((resolve) => begun.once('drain', resolve)));
    }
  } catch (error) {
    begun.cancel();
    throw error;
  } finally {
    // Not awaited: a source that is silent ends when it speaks again.
    source.return?.().catch(() => {});
  }
  begun.end();
  return answer;
}
