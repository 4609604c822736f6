import { type JetStreamManager, jetstream } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
import type { ServiceName, Tls } from '#libs/grpc/tls.ts';
import type { Logger } from '#libs/log.ts';
import { CONNECT_TIMEOUT_MS, type Connection, openConnection } from '#libs/nats/connection.ts';
import {
  consumeMessages,
  consumeUntil,
  type DurableOptions,
  type FollowOptions,
  followMessages,
  guarded,
  type Handler,
  read,
} from '#libs/nats/consumers.ts';
import { isTakenByNone, managerOf } from '#libs/nats/streams.ts';
import { type Event, encode, STREAMS, type StoredEvent, type Stream } from '#libs/nats/subjects.ts';

/** Events between services. Everything resumes by itself when NATS is back. */
export type Events = {
  /** Whether there is a connection now. */
  connected(): boolean;
  /** Sends to current subscribers. Does nothing while NATS is away. */
  publish<T>(event: Event<T>, message: T): void;
  /** Calls back for every message, also after reconnects. */
  subscribe<T>(event: Event<T>, handle: Handler<T>): Disposable;
  /** Calls back now if connected, and after every connect. */
  onConnect(callback: () => void): Disposable;
  /**
   * Resolves when the stream has stored the message; throws while NATS is away or without the stream, which is made if it is
   * this service's. Repeating a `messageId` within two minutes stores one.
   */
  publishDurable<T>(event: StoredEvent<T>, message: T, messageId: string): Promise<void>;
  /** Handles messages one by one until disposed, as soon as the stream is there. */
  consumeDurable<T>(event: StoredEvent<T>, options: DurableOptions<T>): AsyncDisposable;
  /**
   * Delivers stored messages and new ones to this process alone: a new one at once from its publisher, and again from the
   * stream, as soon as that is there. A stream has one follower of each `name` at a time.
   */
  follow<T>(event: StoredEvent<T>, options: FollowOptions<T>): Disposable;
  /** The connection, for requests to NATS itself; throws while NATS is away. */
  connection(): NatsConnection;
  /** JetStream's manager, once the stream exists; throws while NATS is away. */
  manager(stream: Stream): Promise<JetStreamManager>;
};

export type EventsOptions = {
  /** `nats://host:port`, or `tls://` for TLS; it may carry user and password. */
  url: string;
  /** Of the process, unlike that of every other user at NATS: its inbox is `_INBOX.<name>`, and its followers are called so. */
  name: string;
  log: Logger;
  /** Makes its own streams, on every connect, and no others. Without it, any that are needed. */
  service?: ServiceName;
  /** For `tls://`: whom to trust, and who this is. Without it, the system's authorities, and nobody. */
  tls?: Tls | undefined;
};

/** Connects in the background: a service starts, and works as far as it can, before NATS does. */
export function connectEvents(options: EventsOptions): Events & AsyncDisposable {
  const { log, name, service } = options;
  const connection = openConnection(options);
  const manager = (stream: Stream) => managerOf(connection.current(), stream, service);
  const streams = keepStreams(connection, manager);
  for (const stream of STREAMS.filter(({ owner }) => owner === service)) {
    connection.onConnect(() => streams.ensure(stream).catch((err) => log.warn({ err }, 'stream not made yet')));
  }
  const subscribe = <T>(event: Event<T>, handle: Handler<T>) => subscribeTo(connection, event, handle, log);

  return {
    connected: connection.connected,
    onConnect: connection.onConnect,
    connection: connection.current,
    manager,
    subscribe,
    publish(event, message) {
      if (connection.connected()) connection.current().publish(event.subject, encode(event, message));
    },
    async publishDurable(event, message, messageId) {
      const data = encode(event, message);
      const options = { msgID: messageId, timeout: CONNECT_TIMEOUT_MS };
      const publish = () => jetstream(connection.current()).publish(event.subject, data, options);
      await streams.ensure(event.stream);
      await publish().catch(async (error) => {
        if (!isTakenByNone(error)) throw error;
        // NATS has lost its disk, and the stream with it; the row that this message reports is still there.
        await streams.ensureAgain(event.stream);
        await publish();
      });
    },
    consumeDurable(event, options) {
      const ended = new AbortController();
      const signal = AbortSignal.any([connection.disposed, ended.signal]);
      const loop = connection.opened.then((opened) =>
        consumeUntil(signal, log, event, async () =>
          consumeMessages(opened!, await manager(event.stream), event, options, signal, log),
        ),
      );
      return {
        async [Symbol.asyncDispose]() {
          ended.abort();
          await loop;
        },
      };
    },
    follow(event, options) {
      const ended = new AbortController();
      const signal = AbortSignal.any([connection.disposed, ended.signal]);
      void connection.opened.then((opened) =>
        consumeUntil(signal, log, event, async () =>
          followMessages(opened!, await manager(event.stream), event, { ...options, name }, signal, log),
        ),
      );
      const subscription = subscribe(event, options.handle);
      return {
        [Symbol.dispose]() {
          subscription[Symbol.dispose]();
          ended.abort();
        },
      };
    },
    [Symbol.asyncDispose]: () => connection[Symbol.asyncDispose](),
  };
}

function subscribeTo<T>(connection: Connection, event: Event<T>, handle: Handler<T>, log: Logger): Disposable {
  const { subject } = event;
  let subscription: Subscription | undefined;
  let disposed = false;
  void connection.opened.then((opened) => {
    if (disposed || !opened) return;
    subscription = opened.subscribe(subject, {
      callback: (error, message) => {
        if (error) return log.warn({ err: error, subject }, 'subscription failed');
        const known = read(event, message, log);
        if (known) guarded(log, subject, () => handle(known.message, message.subject));
      },
    });
  });
  return {
    [Symbol.dispose]() {
      disposed = true;
      subscription?.unsubscribe();
    },
  };
}

/**
 * Makes streams before the first message to them on each connection: without a stream, a plain subscriber of its subject
 * would leave the message unanswered.
 */
function keepStreams(connection: Connection, manager: (stream: Stream) => Promise<JetStreamManager>) {
  const made = new Map<string, Promise<unknown>>();
  connection.onConnect(() => made.clear());
  const ensureAgain = (stream: Stream): Promise<unknown> => {
    const making = manager(stream);
    made.set(stream.name, making);
    making.catch(() => {
      if (made.get(stream.name) === making) made.delete(stream.name);
    });
    return making;
  };
  return { ensureAgain, ensure: async (stream: Stream) => made.get(stream.name) ?? ensureAgain(stream) };
}
