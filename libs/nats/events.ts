import { jetstream } from '@nats-io/jetstream';
import type { NatsConnection, Subscription } from '@nats-io/transport-node';
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
} from '#libs/nats/consumers.ts';
import { isTakenByNone, managerOf } from '#libs/nats/streams.ts';
import { type Event, encode, type StoredEvent, type Stream } from '#libs/nats/subjects.ts';

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
   * Resolves when the stream has stored the message; throws while NATS is away. The stream is made if NATS has none. Repeating
   * a `messageId` within two minutes stores one.
   */
  publishDurable<T>(event: StoredEvent<T>, message: T, messageId: string): Promise<void>;
  /** Handles messages one by one until disposed. The stream is made if NATS has none. */
  consumeDurable<T>(event: StoredEvent<T>, options: DurableOptions<T>): AsyncDisposable;
  /**
   * Delivers stored messages and new ones to this process alone: a new one at once from its publisher, and again from the
   * stream, which is made if NATS has none.
   */
  follow<T>(event: StoredEvent<T>, options: FollowOptions<T>): Disposable;
  /** The connection, for requests to NATS itself; throws while NATS is away. */
  connection(): NatsConnection;
};

/** Connects in the background: a service starts, and works as far as it can, before NATS does. `url` may carry user and password. */
export function connectEvents(options: { url: string; name: string; log: Logger }): Events & AsyncDisposable {
  const { log } = options;
  const connection = openConnection(options);
  const streams = keepStreams(connection);
  const subscribe = <T>(event: Event<T>, handle: Handler<T>) => subscribeTo(connection, event, handle, log);

  return {
    connected: connection.connected,
    onConnect: connection.onConnect,
    connection: connection.current,
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
        consumeUntil(signal, log, event, () => consumeMessages(opened!, event, options, signal, log)),
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
        consumeUntil(signal, log, event, () => followMessages(opened!, event, options, signal, log)),
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

function subscribeTo<T>(
  connection: Connection,
  { subject, codec }: Event<T>,
  handle: Handler<T>,
  log: Logger,
): Disposable {
  let subscription: Subscription | undefined;
  let disposed = false;
  void connection.opened.then((opened) => {
    if (disposed || !opened) return;
    subscription = opened.subscribe(subject, {
      callback: (error, message) => {
        if (error) return log.warn({ err: error, subject }, 'subscription failed');
        guarded(log, subject, () => handle(codec.decode(message.data), message.subject));
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
function keepStreams(connection: Connection) {
  const made = new Map<string, Promise<unknown>>();
  connection.onConnect(() => made.clear());
  const ensureAgain = (stream: Stream): Promise<unknown> => {
    const making = managerOf(connection.current(), stream);
    made.set(stream.name, making);
    making.catch(() => {
      if (made.get(stream.name) === making) made.delete(stream.name);
    });
    return making;
  };
  return { ensureAgain, ensure: async (stream: Stream) => made.get(stream.name) ?? ensureAgain(stream) };
}
