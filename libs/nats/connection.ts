import { connect, type NatsConnection } from '@nats-io/transport-node';
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

/** Connects in the background, and again whenever the connection is lost. `url` may carry user and password. */
export function openConnection(options: { url: string; name: string; log: Logger }): Connection {
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

async function connectUntil(
  { url, name, log }: { url: string; name: string; log: Logger },
  signal: AbortSignal,
): Promise<NatsConnection | undefined> {
  const { username, password, host } = new URL(url);
  const account = username ? { user: decodeURIComponent(username), pass: decodeURIComponent(password) } : {};
  for (let tries = 0; !signal.aborted; tries++) {
    try {
      return await connect({
        servers: host,
        name,
        ...account,
        timeout: CONNECT_TIMEOUT_MS,
        maxReconnectAttempts: -1,
        reconnectTimeWait: RETRY_MS,
      });
    } catch (error) {
      if (tries === 0) log.warn({ err: error }, 'waiting for NATS');
      await pause(RETRY_MS, signal);
    }
  }
  return undefined;
}

async function watchStatus(connection: NatsConnection, log: Logger, setUp: (up: boolean) => void): Promise<void> {
  for await (const { type } of connection.status()) {
    if (type === 'disconnect') log.warn('NATS went away');
    if (type === 'reconnect') log.info('NATS is back');
    if (type === 'disconnect' || type === 'reconnect') setUp(type === 'reconnect');
  }
}
