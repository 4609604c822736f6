import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Client, credentials, Metadata, type ServiceError } from '@grpc/grpc-js';
import type { Settings } from './config.ts';
import { type Duration, readDuration } from './durations.ts';
import { TimeoutError, UnauthenticatedError } from './errors.ts';
import { AuthServiceDefinition } from './generated/drydock/v1/auth.ts';
import { isPassing, waitBeforeRetry } from './retries.ts';
import { idIn, toError } from './status.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { VERSION } from './version.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_RETRIES = 10;
/** Bytes of the largest answer. */
const MAX_MESSAGE_BYTES = 48 * 1024 * 1024;
/** What a server is told that is reached by an IP address. */
const NAME_OF_ADDRESS = 'address.invalid';

/** What every call takes. */
export type CallOptions = {
  /** Ends the call, which then throws the signal's reason. */
  signal?: AbortSignal;
  /** How long one call may take, its repetitions included. Default 60 s; none for streams and calls that await a program. */
  requestTimeout?: Duration | null;
  requestTimeoutMs?: number | null;
};

export type ConnectionOptions = {
  /** Certificates of the authorities to trust, as PEM, instead of the system's. */
  ca?: string | Uint8Array;
  /** How often a call that is safe to repeat is made again. Default 10, with growing waits; 0 for never. */
  maxRetries?: number;
};

// biome-ignore lint/suspicious/noExplicitAny: messages of any type
type Codec<T = any> = { encode(message: T): { finish(): Uint8Array }; decode(bytes: Uint8Array): T };
type Message<C> = C extends Codec<infer T> ? T : never;
type Method = { readonly name: string; readonly requestType: Codec; readonly responseType: Codec };
type Service = { readonly fullName: string; readonly methods: Record<string, Method> };

/** How a call is made. `repeatable`: to make it twice does what making it once does. */
type Kind = { repeatable: boolean; defaultTimeoutMs?: number | null };

/** One method, with the path it is called by. */
type Bound<M extends Method> = { path: string; method: M };

export type Connection = {
  unary<M extends Method>(
    method: Bound<M>,
    request: Message<M['requestType']>,
    options: CallOptions,
    kind: Kind,
  ): Promise<Message<M['responseType']>>;
  /** Repeats the call until its first message at most. Leaving the iteration ends the call. */
  stream<M extends Method>(
    method: Bound<M>,
    request: Message<M['requestType']>,
    options: CallOptions,
    kind: Kind,
  ): AsyncGenerator<Message<M['responseType']>, void, undefined>;
  /** Sends what `requests` yields, as fast as it is taken; `requests` is called for each try. */
  upload<M extends Method>(
    method: Bound<M>,
    requests: () => AsyncIterable<Message<M['requestType']>>,
    options: CallOptions,
    kind: Kind,
  ): Promise<Message<M['responseType']>>;
  close(): void;
};

/** A method of a service, to be called. */
export function method<S extends Service, Key extends keyof S['methods'] & string>(
  service: S,
  key: Key,
): Bound<S['methods'][Key]> {
  const found = service.methods[key] as S['methods'][Key];
  return { path: `/${service.fullName}/${found.name}`, method: found };
}

/** Calls the platform over one connection, which is made at the first call and again whenever it breaks. */
export function createConnection(
  settings: Settings,
  { ca, maxRetries = DEFAULT_RETRIES }: ConnectionOptions,
): Connection {
  const client = openClient(settings, ca);
  const exchange = method(AuthServiceDefinition, 'exchangeToken');
  const tokens: Tokens = createTokens(settings.apiKey, async () => {
    const call = { client, url: settings.url, credential: settings.apiKey, deadline: Date.now() + DEFAULT_TIMEOUT_MS };
    const { token } = await repeated({ maxRetries }, () => unaryOnce(call, exchange, {}));
    return token;
  });

  /** Runs tries of a call until one succeeds, fails for good, or none is left. */
  const run = async <T>(options: CallOptions, kind: Kind, attempt: (call: Try) => Promise<T>): Promise<T> => {
    const { signal } = options;
    const deadline = deadlineOf(options, kind);
    let renewed = false;
    const one = async (): Promise<T> => {
      signal?.throwIfAborted();
      const credential = await within(tokens.get(), signal, deadline);
      try {
        return await attempt({ client, url: settings.url, credential, deadline, signal });
      } catch (error) {
        // It was refused before it began.
        if (!(error instanceof UnauthenticatedError) || renewed || !tokens.refused(credential)) throw error;
        renewed = true;
        return one();
      }
    };
    return repeated({ maxRetries: kind.repeatable ? maxRetries : 0, deadline, signal }, one);
  };

  return {
    unary: (bound, request, options, kind) => run(options, kind, (call) => unaryOnce(call, bound, request)),
    upload: (bound, requests, options, kind) => run(options, kind, (call) => uploadOnce(call, bound, requests())),
    async *stream(bound, request, options, kind) {
      const opened = await run(options, { defaultTimeoutMs: null, ...kind }, async (call) => {
        const messages = streamOnce(call, bound, request);
        return { messages, first: await messages.next() };
      });
      try {
        for (let next = opened.first; !next.done; next = await opened.messages.next()) yield next.value;
      } finally {
        await opened.messages.return();
      }
    },
    close: () => client.close(),
  };
}

function openClient({ address, tls, url }: Settings, ca: string | Uint8Array | undefined): Client {
  const host = new URL(url).hostname.replace(/^\[|\]$/g, '');
  const isAddress = tls && isIP(host) > 0;
  const verify = isAddress
    ? { checkServerIdentity: (_: string, certificate: PeerCertificate) => checkServerIdentity(host, certificate) }
    : {};
  const channel = tls
    ? credentials.createSsl(ca === undefined ? null : Buffer.from(ca), null, null, verify)
    : credentials.createInsecure();
  return new Client(address, channel, {
    'grpc.primary_user_agent': `drydock-typescript/${VERSION}`,
    'grpc.max_receive_message_length': MAX_MESSAGE_BYTES,
    'grpc.keepalive_time_ms': 20_000,
    'grpc.keepalive_timeout_ms': 10_000,
    'grpc.initial_reconnect_backoff_ms': 100,
    'grpc.max_reconnect_backoff_ms': 2_000,
    'grpc.use_local_subchannel_pool': 1,
    // TLS names no addresses, and Node refuses to; the certificate is held against the address above.
    ...(isAddress ? { 'grpc.ssl_target_name_override': NAME_OF_ADDRESS } : {}),
  });
}

/** Without a limit, unless the caller set one: such a call lasts as long as a program or a transfer. */
export const UNLIMITED = { defaultTimeoutMs: null } as const;

function deadlineOf(options: CallOptions, { defaultTimeoutMs = DEFAULT_TIMEOUT_MS }: Kind): number | undefined {
  const given = readDuration(options, 'requestTimeout');
  const ms = given === undefined ? defaultTimeoutMs : given;
  return ms === null ? undefined : Date.now() + ms;
}

type Patience = { maxRetries: number; deadline?: number | undefined; signal?: AbortSignal | undefined };

async function repeated<T>({ maxRetries, deadline, signal }: Patience, attempt: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > maxRetries || !isPassing(error)) throw error;
      if (deadline !== undefined && Date.now() + (error.retryAfterMs ?? 0) >= deadline) throw error;
      await waitBeforeRetry(tries, error, signal);
    }
  }
}

/** What others wait for too is not ended by one who waits no longer. */
async function within<T>(
  shared: Promise<T>,
  signal: AbortSignal | undefined,
  deadline: number | undefined,
): Promise<T> {
  if (!signal && deadline === undefined) return shared;
  let timer: NodeJS.Timeout | undefined;
  let stop = () => {};
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(signal!.reason);
    signal?.addEventListener('abort', stop, { once: true });
    if (deadline !== undefined)
      timer = setTimeout(() => reject(new TimeoutError('no answer within requestTimeout')), deadline - Date.now());
  });
  try {
    return await Promise.race([shared, ended]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', stop);
  }
}

/** One try of a call. */
type Try = {
  client: Client;
  url: string;
  credential: string;
  deadline: number | undefined;
  signal?: AbortSignal | undefined;
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
  if (signal?.aborted) cancel();
  else signal?.addEventListener('abort', cancel, { once: true });
  return {
    over: () => signal?.removeEventListener('abort', cancel),
    explain: (error) => (signal?.aborted ? signal.reason : toError(error as ServiceError, requestId, url)),
  };
}

function unaryOnce<M extends Method>(
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

async function* streamOnce<M extends Method>(
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

async function uploadOnce<M extends Method>(
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
  begun.on('drain', () => wake());
  try {
    for await (const request of requests) {
      if (answered) break;
      const room = new Promise<void>((resolve) => {
        wake = resolve;
      });
      if (!begun.write(request) && !answered) await room;
    }
  } catch (error) {
    begun.cancel();
    throw error;
  }
  begun.end();
  return answer;
}
