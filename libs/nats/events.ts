import {
  AckPolicy,
  DeliverPolicy,
  DiscardPolicy,
  type JetStreamClient,
  jetstream,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import { connect, type NatsConnection, type Subscription } from '@nats-io/transport-node';
import type { Logger } from '#libs/log.ts';
import { isTakenByNone, managerOf } from '#libs/nats/streams.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const RETRY_MS = 500;
const ACK_WAIT_MS = 30_000;
const KEEP_MS = 24 * 3_600_000;

export type Handler = (data: Uint8Array, subject: string) => unknown;

export type FollowOptions = {
  stream: string;
  subject: string;
  /** The first message to be handed over is the first one stored after this. */
  since: Date;
  handle: Handler;
};

export type DurableOptions = {
  stream: string;
  /** Name of the consumer; replicas that share it share the messages. */
  durable: string;
  subject: string;
  /**
   * A message is acknowledged once this resolves, and handed out again some time after it throws, a second at least.
   * `delivery` is 1 the first time.
   */
  handle: (data: Uint8Array, subject: string, delivery: number) => Promise<unknown>;
};

/** Wake-ups between services. Everything works again by itself after NATS was away. */
export type Events = {
  /** Whether there is a connection now. */
  connected(): boolean;
  /** Tells whoever listens now. Does nothing while NATS is away. */
  publish(subject: string, data: Uint8Array): void;
  /** Calls back for every message of a subject, also after reconnects. */
  subscribe(subject: string, handle: Handler): Disposable;
  /** Calls back now if connected, and after every connect. */
  onConnect(callback: () => void): Disposable;
  /** Resolves when the stream has stored the message; throws while NATS is away. Repeating a `messageId` within two minutes stores one. */
  publishDurable(subject: string, data: Uint8Array, messageId: string): Promise<void>;
  /** Makes the stream of these subjects, now and again whenever NATS has lost it. Kept for a day. */
  keepStream(name: string, subjects: string[]): void;
  /** Handles messages one by one until disposed. */
  consumeDurable(options: DurableOptions): AsyncDisposable;
  /**
   * Hands over what a kept stream has stored and what follows, to this process alone: at once from whoever tells it now, and
   * again from the stream.
   */
  follow(options: FollowOptions): Disposable;
  /** The connection, for what is asked of NATS itself; throws while NATS is away. */
  connection(): NatsConnection;
};

/** Connects in the background: a service starts, and works as far as it can, before NATS does. `url` may carry user and password. */
export function connectEvents(options: { url: string; name: string; log: Logger }): Events & AsyncDisposable {
  const { log } = options;
  const stop = new AbortController();
  const streams = new Map<string, string[]>();
  const connectListeners = new Set<() => void>();
  let connection: NatsConnection | undefined;
  let up = false;

  const isUp = () => up && connection !== undefined && !connection.isClosed();
  const setUp = (now: boolean) => {
    up = now;
    if (now) for (const listener of connectListeners) listener();
  };
  const opened = openConnection(options, stop.signal).then((opened) => {
    connection = opened;
    if (!opened) return;
    watchStatus(opened, log, setUp);
    setUp(true);
  });

  const ensureStreams = () =>
    managerOf(
      connection!,
      [...streams].map(([name, subjects]) => ({
        name,
        subjects,
        retention: RetentionPolicy.Limits,
        storage: StorageType.File,
        discard: DiscardPolicy.Old,
        max_age: KEEP_MS * 1e6,
      })),
    );

  const events: Events = {
    connected: isUp,
    publish(subject, data) {
      if (isUp()) connection!.publish(subject, data);
    },
    subscribe(subject, handle) {
      let subscription: Subscription | undefined;
      let disposed = false;
      void opened.then(() => {
        if (disposed || !connection) return;
        subscription = connection.subscribe(subject, {
          callback: (error, message) => {
            if (error) return log.warn({ err: error, subject }, 'subscription failed');
            guarded(log, subject, () => handle(message.data, message.subject));
          },
        });
      });
      return {
        [Symbol.dispose]() {
          disposed = true;
          subscription?.unsubscribe();
        },
      };
    },
    onConnect(callback) {
      connectListeners.add(callback);
      if (isUp()) callback();
      return { [Symbol.dispose]: () => void connectListeners.delete(callback) };
    },
    async publishDurable(subject, data, messageId) {
      const client = jetstream(events.connection());
      const publish = () => client.publish(subject, data, { msgID: messageId, timeout: CONNECT_TIMEOUT_MS });
      await publish().catch(async (error) => {
        if (!isTakenByNone(error)) throw error;
        // The stream is gone where NATS lost its disk; the row that this message tells of is not.
        await ensureStreams();
        await publish();
      });
    },
    keepStream(name, subjects) {
      streams.set(name, subjects);
      events.onConnect(() => void ensureStreams().catch((error) => log.warn({ err: error, name }, 'stream not made')));
    },
    consumeDurable(durable) {
      const ended = new AbortController();
      const signal = AbortSignal.any([stop.signal, ended.signal]);
      const consume = async () => {
        const manager = await ensureStreams();
        await manager.consumers.add(durable.stream, {
          durable_name: durable.durable,
          filter_subject: durable.subject,
          ack_policy: AckPolicy.Explicit,
          deliver_policy: DeliverPolicy.All,
          ack_wait: ACK_WAIT_MS * 1e6,
        });
        await consumeMessages(jetstream(connection!), durable, signal, log);
      };
      const loop = opened.then(() => consumeUntil(signal, log, durable, consume));
      return {
        async [Symbol.asyncDispose]() {
          ended.abort();
          await loop;
        },
      };
    },
    follow(options) {
      const ended = new AbortController();
      const signal = AbortSignal.any([stop.signal, ended.signal]);
      const consume = async () => {
        await ensureStreams();
        await followMessages(jetstream(connection!), options, signal, log);
      };
      void opened.then(() => consumeUntil(signal, log, options, consume));
      const told = events.subscribe(options.subject, options.handle);
      return {
        [Symbol.dispose]() {
          told[Symbol.dispose]();
          ended.abort();
        },
      };
    },
    connection() {
      if (!isUp()) throw new Error('NATS cannot be reached');
      return connection!;
    },
  };

  return {
    ...events,
    async [Symbol.asyncDispose]() {
      stop.abort();
      await opened;
      await connection?.close();
    },
  };
}

async function openConnection(
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

async function consumeUntil(
  signal: AbortSignal,
  log: Logger,
  { stream, subject }: { stream: string; subject: string },
  consume: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await consume();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, stream, subject }, 'consumer interrupted');
    }
    await pause(RETRY_MS, signal);
  }
}

async function consumeMessages(
  client: JetStreamClient,
  { stream, durable, handle }: DurableOptions,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const consumer = await client.consumers.get(stream, durable);
  const messages = await consumer.consume({ max_messages: 100, abort_on_missing_resource: true });
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const message of messages) {
      try {
        await handle(message.data, message.subject, message.info.deliveryCount);
        message.ack();
      } catch (error) {
        log.warn({ err: error, subject: message.subject }, 'event handed back');
        message.nak(1000);
      }
    }
  } finally {
    signal.removeEventListener('abort', stop);
    await messages.close();
  }
}

async function followMessages(
  client: JetStreamClient,
  { stream, subject, since, handle }: FollowOptions,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const consumer = await client.consumers.get(stream, {
    filter_subjects: subject,
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: since.toISOString(),
  });
  const messages = await consumer.consume();
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (signal.aborted) return;
    for await (const message of messages) guarded(log, subject, () => handle(message.data, message.subject));
  } finally {
    signal.removeEventListener('abort', stop);
    await messages.close();
  }
}

function guarded(log: Logger, subject: string, handle: () => unknown): void {
  const failed = (error: unknown) => log.error({ err: error, subject }, 'event handler failed');
  try {
    Promise.resolve(handle()).catch(failed);
  } catch (error) {
    failed(error);
  }
}

function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}
