import { isIP } from 'node:net';
import { checkServerIdentity, type PeerCertificate } from 'node:tls';
import { Client, credentials } from '@grpc/grpc-js';
import { type Bound, type Message, type Method, streamOnce, type Try, unaryOnce, uploadOnce } from './calls.ts';
import type { Settings } from './config.ts';
import { type Duration, readDuration } from './durations.ts';
import { ClientClosedError, TimeoutError, UnauthenticatedError } from './errors.ts';
import { AuthServiceDefinition } from './generated/drydock/v1/auth.ts';
import { isPassing, waitBeforeRetry } from './retries.ts';
import { LONGEST_TIMER_MS } from './timers.ts';
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

type Service = { readonly fullName: string; readonly methods: Record<string, Method> };

/**
 * How a call is made. `repeatable`: to make it twice does what making it once does. `once`: its messages come from what can be
 * read only once, so it is not even made again where its token was refused.
 */
type Kind = { repeatable: boolean; once?: boolean; defaultTimeoutMs?: number | null };

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
  /** Ends what is under way. That, and every later call, fails with ClientClosedError. */
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
  const closing = new AbortController();
  const exchange = method(AuthServiceDefinition, 'exchangeToken');
  // Once: each call that waits for it is repeated itself.
  const tokens: Tokens = createTokens(settings.apiKey, async () => {
    const { url, apiKey } = settings;
    const deadline = Date.now() + DEFAULT_TIMEOUT_MS;
    const { token } = await unaryOnce(
      { client, url, credential: apiKey, deadline, signal: closing.signal },
      exchange,
      {},
    );
    return token;
  });

  /** Runs tries of a call until one succeeds, fails for good, or none is left. */
  const run = async <T>(options: CallOptions, kind: Kind, attempt: (call: Try) => Promise<T>): Promise<T> => {
    const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
    const deadline = deadlineOf(options, kind);
    let [begun, renewed] = [false, false];
    const one = async (): Promise<T> => {
      signal.throwIfAborted();
      const credential = await within(tokens.get(), signal, deadline);
      begun = true;
      try {
        return await attempt({ client, url: settings.url, credential, deadline, signal });
      } catch (error) {
        if (!(error instanceof UnauthenticatedError)) throw error;
        const another = tokens.refused(credential) && !renewed && !kind.once;
        if (!another) throw error;
        // It was refused before it began.
        [begun, renewed] = [false, true];
        return one();
      }
    };
    // What has no token yet was not made.
    const mayRepeat = () => kind.repeatable || !begun;
    return repeated({ maxRetries, mayRepeat, deadline, signal }, one);
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
    close() {
      closing.abort(new ClientClosedError());
      client.close();
    },
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
  // One beyond the timers of both ends would be over at once.
  return ms === null || ms > LONGEST_TIMER_MS ? undefined : Date.now() + ms;
}

type Patience = {
  maxRetries: number;
  mayRepeat: () => boolean;
  deadline: number | undefined;
  signal: AbortSignal;
};

async function repeated<T>(
  { maxRetries, mayRepeat, deadline, signal }: Patience,
  attempt: () => Promise<T>,
): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await attempt();
    } catch (error) {
      if (tries > maxRetries || !isPassing(error) || !mayRepeat()) throw error;
      if (deadline !== undefined && Date.now() + (error.retryAfterMs ?? 0) >= deadline) throw error;
      await waitBeforeRetry(tries, error, signal);
    }
  }
}

/** What others wait for too is not ended by one who waits no longer. */
async function within<T>(shared: Promise<T>, signal: AbortSignal, deadline: number | undefined): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  let stop = () => {};
  const ended = new Promise<never>((_, reject) => {
    stop = () => reject(signal.reason);
    signal.addEventListener('abort', stop, { once: true });
    if (deadline !== undefined)
      timer = setTimeout(() => reject(new TimeoutError('no answer within requestTimeout')), deadline - Date.now());
  });
  try {
    return await Promise.race([shared, ended]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener('abort', stop);
  }
}
