import { connect, errors, type NatsConnection } from '@nats-io/transport-node';
import type { Tls } from '#libs/grpc/tls.ts';
import { pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';

export const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_MS = 500;

export type Connection = AsyncDisposable & {
  connected(): boolean;
  /** Resolves with the connection once NATS was reached, and with nothing if that never happens before the disposal. */
  opened: Promise<NatsConnection | undefined>;
  /** The connection; throws while NATS is away. */
  current(): NatsConnection;
  /** Calls back now if connected, and after every connect. */
  onConnect(callback: () => void): Disposable;
  /** Aborted by the disposal. */
  disposed: AbortSignal;
};

export type ConnectionOptions = { url: string; name: string; log: Logger; tls?: Tls | undefined };

/** Connects in the background, and again whenever the connection is lost. */
export function openConnection(options: ConnectionOptions): Connection {
  const stop = new AbortController();
  const listeners = new Set<() => void>();
  let connection: NatsConnection | undefined;
  let up = false;

  const setUp = (now: boolean) => {
    up = now;
    if (now) for (const listener of listeners) listener();
  };
  const connected = () => up && connection !== undefined && !connection.isClosed();
  const opened = connectUntil(options, stop.signal).then((first) => {
    connection = first;
    if (first) {
      void watchStatus(first, options.log, setUp);
      setUp(true);
    }
    return first;
  });

  return {
    connected,
    opened,
    disposed: stop.signal,
    current() {
      if (!connected()) throw new Error('NATS cannot be reached');
      return connection!;
    },
    onConnect(callback) {
      listeners.add(callback);
      if (connected()) callback();
      return { [Symbol.dispose]: () => void listeners.delete(callback) };
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await opened;
      await connection?.close();
    },
  };
}

async function connectUntil(options: ConnectionOptions, signal: AbortSignal): Promise<NatsConnection | undefined> {
  const overTls = options.url.startsWith('tls:');
  let told = '';
  while (!signal.aborted) {
    try {
      return await connect(optionsOf(options));
    } catch (error) {
      const advice = adviceOn(error, overTls, 'waiting for NATS');
      if (told !== advice) options.log.warn({ err: error }, advice);
      told = advice;
      await pause(RETRY_MS, signal);
    }
  }
  return undefined;
}

function optionsOf({ url, name, tls }: ConnectionOptions) {
  const { protocol, username, password, host } = new URL(url);
  // Read by the client at each connect: it may have been renewed.
  const credential = tls && {
    ca: tls.ca.toString(),
    get cert() {
      return tls.certificate.toString();
    },
    get key() {
      return tls.key.toString();
    },
  };
  return {
    servers: host,
    name,
    ...(username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {}),
    ...(protocol === 'tls:' ? { tls: credential ?? {} } : {}),
    inboxPrefix: `_INBOX.${name}`,
    timeout: CONNECT_TIMEOUT_MS,
    maxReconnectAttempts: -1,
    reconnectTimeWait: RETRY_MS,
    // Who is refused today may be let in tomorrow: the server has other users then.
    ignoreAuthErrorAbort: true,
  };
}

const REFUSED =
  'NATS refuses this service: check whose certificate TLS_DIR has, or user and password in NATS_URL, and that the server has that user';
const FORBIDDEN =
  'NATS forbids what this service does: check that the certificate in TLS_DIR, or the user in NATS_URL, is of this service and no other';
const UNTRUSTED =
  'NATS and this service do not trust each other: check that NATS_URL begins with tls:// where the server wants TLS, and that one authority signed the certificates of both';

// A server that does not trust a certificate ends the connection without a word, after the client's own handshake is over.
const SILENT =
  'NATS does not answer: if it has started, check that one authority signed the certificates of both, it and this service';

function adviceOn(error: unknown, overTls: boolean, otherwise: string): string {
  if (error instanceof errors.AuthorizationError) return REFUSED;
  const codes = [error, error instanceof Error ? error.cause : undefined].map(
    (each) => (each as { code?: string })?.code,
  );
  if (overTls && error instanceof errors.TimeoutError) return SILENT;
  return codes.some((code) => code && TLS_CODES.test(code)) ? UNTRUSTED : otherwise;
}

/** Node's codes of handshakes that failed. */
const TLS_CODES = /^(ERR_SSL|ERR_TLS|CERT_|UNABLE_TO|SELF_SIGNED|DEPTH_ZERO)/;

/** What is forbidden is tried again and again; it is told once on each connection. */
const MAX_TOLD = 100;

async function watchStatus(connection: NatsConnection, log: Logger, setUp: (up: boolean) => void): Promise<void> {
  const told = new Set<string>();
  for await (const status of connection.status()) {
    const { type } = status;
    if (type === 'disconnect') log.warn('NATS went away');
    if (type === 'reconnect') {
      log.info('NATS is back');
      told.clear();
    }
    if (type === 'disconnect' || type === 'reconnect') setUp(type === 'reconnect');
    if (type === 'error') tell(status.error, told, log);
  }
}

function tell(error: Error, told: Set<string>, log: Logger): void {
  const forbidden = error instanceof errors.PermissionViolationError;
  const advice = forbidden ? FORBIDDEN : adviceOn(error, false, 'NATS reports an error');
  const key = forbidden ? `${error.operation} ${error.subject}` : advice;
  if (told.has(key) || told.size >= MAX_TOLD) return;
  told.add(key);
  log.error({ err: error }, advice);
}
