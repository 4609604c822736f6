import { type Duration, readDuration } from './durations.ts';
import { ClientClosedError, TimeoutError, UnauthenticatedError } from './errors.ts';
import { AuthServiceDefinition } from './generated/drydock/v1/auth.ts';
import { openTransport } from './platform.ts';
import { isPassing, waitBeforeRetry } from './retries.ts';
import type { Settings } from './settings.ts';
import { LONGEST_TIMER_MS } from './timers.ts';
import { createTokens, type Tokens } from './tokens.ts';
import { traceHeaders } from './trace.ts';
import type { Bound, Message, Method, Try } from './transport.ts';

const DEFAULT_TIMEOUT_MS = 60_000;
const DEFAULT_RETRIES = 10;

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
  return { service: service.fullName, method: found };
}

/** Calls the platform over one connection, which is made at the first call and again whenever it breaks. */
export function createConnection(
  settings: Settings,
  { ca, maxRetries = DEFAULT_RETRIES }: ConnectionOptions,
): Connection {
  const transport = openTransport(settings, ca);
  const closing = new AbortController();
  const exchange = method(AuthServiceDefinition, 'exchangeToken');
  // Once: each call that waits for it is repeated itself.
  const tokens: Tokens = createTokens(settings.apiKey, async () => {
    const deadline = Date.now() + DEFAULT_TIMEOUT_MS;
    const call = { credential: settings.apiKey, deadline, signal: closing.signal, trace: {} };
    const { token } = await transport.unary(call, exchange, {});
    return token;
  });

  /** Runs tries of a call until one succeeds, fails for good, or none is left. */
  const run = async <T>(options: CallOptions, kind: Kind, attempt: (call: Try) => Promise<T>): Promise<T> => {
    const signal = options.signal ? AbortSignal.any([options.signal, closing.signal]) : closing.signal;
    const deadline = deadlineOf(options, kind);
    const trace = traceHeaders();
    let [begun, renewed] = [false, false];
    const one = async (): Promise<T> => {
      signal.throwIfAborted();
      const credential = await within(tokens.get(), signal, deadline);
      begun = true;
      try {
        return await attempt({ credential, deadline, signal, trace });
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
    unary: (bound, request, options, kind) => run(options, kind, (call) => transport.unary(call, bound, request)),
    upload: (bound, requests, options, kind) => run(options, kind, (call) => transport.upload(call, bound, requests())),
    async *stream(bound, request, options, kind) {
      const opened = await run(options, { defaultTimeoutMs: null, ...kind }, async (call) => {
        const messages = transport.stream(call, bound, request);
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
      transport.close();
    },
  };
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
  let timer: ReturnType<typeof setTimeout> | undefined;
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
