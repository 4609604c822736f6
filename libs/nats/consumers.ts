import {
  AckPolicy,
  type ConsumerMessages,
  DeliverPolicy,
  type JetStreamManager,
  type JsMsg,
  jetstream,
} from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { missingConsumer } from '#libs/nats/streams.ts';
import { decode, type Event, type StoredEvent } from '#libs/nats/subjects.ts';

const RETRY_MS = 500;
const NAK_MS = 1_000;
const ACK_WAIT_MS = 30_000;
/** What a follower was sent when its connection broke is sent again after this long. */
const FOLLOW_ACK_WAIT_MS = 5_000;
const FOLLOWER_IDLE_MS = 60_000;

export type Handler<T> = (message: T, subject: string) => unknown;

export type DurableOptions<T> = {
  /** Name of the consumer; replicas that share it share the messages. */
  durable: string;
  /**
   * A message is acknowledged when this resolves, and delivered again a second or more after it throws. `delivery` is 1 the
   * first time.
   */
  handle: (message: T, delivery: number) => Promise<unknown>;
};

export type FollowOptions<T> = {
  /** The first message to be delivered is the first one that was stored after this. */
  since: Date;
  handle: Handler<T>;
};

/** Runs `consume` until the signal ends, again whenever it has ended or failed. */
export async function consumeUntil(
  signal: AbortSignal,
  log: Logger,
  { subject, stream }: Pick<StoredEvent<unknown>, 'subject' | 'stream'>,
  consume: () => Promise<void>,
): Promise<void> {
  while (!signal.aborted) {
    try {
      await consume();
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error, stream: stream.name, subject }, 'consumer interrupted');
    }
    await pause(RETRY_MS, signal);
  }
}

/** Handles the messages of a durable consumer one by one. Makes the consumer if NATS has none. */
export async function consumeMessages<T>(
  connection: NatsConnection,
  manager: JetStreamManager,
  event: StoredEvent<T>,
  { durable, handle }: DurableOptions<T>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const { subject, stream } = event;
  await manager.consumers.add(stream.name, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ACK_WAIT_MS * 1e6,
  });
  await consume(connection, stream.name, durable, signal, async (message) => {
    try {
      const known = read(event, message, log);
      if (!known) return message.term();
      await handle(known.message, message.info.deliveryCount);
      message.ack();
    } catch (error) {
      log.warn({ err: error, subject: message.subject }, 'event not handled; it is delivered again');
      message.nak(NAK_MS);
    }
  });
}

/**
 * Delivers what a stream has stored since a time, and what follows, to this process alone. `name` is its consumer's, which is
 * made anew: one that an earlier call left is somewhere else in the stream.
 */
export async function followMessages<T>(
  connection: NatsConnection,
  manager: JetStreamManager,
  event: StoredEvent<T>,
  { since, handle, name }: FollowOptions<T> & { name: string },
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const { subject, stream } = event;
  await manager.consumers.delete(stream.name, name).catch(missingConsumer);
  await manager.consumers.add(stream.name, {
    name,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: since.toISOString(),
    ack_wait: FOLLOW_ACK_WAIT_MS * 1e6,
    inactive_threshold: FOLLOWER_IDLE_MS * 1e6,
    mem_storage: true,
  });
  await consume(connection, stream.name, name, signal, async (message) => {
    const known = read(event, message, log);
    if (known) guarded(log, subject, () => handle(known.message, message.subject));
    message.ack();
  });
}

/** The message of an event; undefined, and a line in the log, where it is none. */
export function read<T>(
  event: Event<T>,
  { subject, data }: { subject: string; data: Uint8Array },
  log: Logger,
): { message: T } | undefined {
  const refuse = (err?: unknown) => {
    log.warn({ err, subject, expected: event.subject }, 'event refused: it is not what its subject says');
    return undefined;
  };
  try {
    return decode(event, subject, data) ?? refuse();
  } catch (error) {
    return refuse(error);
  }
}

async function consume(
  connection: NatsConnection,
  stream: string,
  name: string,
  signal: AbortSignal,
  take: (message: JsMsg) => Promise<void>,
): Promise<void> {
  const consumer = await jetstream(connection).consumers.get(stream, name);
  const messages = await consumer.consume({ max_messages: 100, abort_on_missing_resource: true });
  await untilAborted(messages, signal, async () => {
    for await (const message of messages) await take(message);
  });
}

async function untilAborted(messages: ConsumerMessages, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    // An iterator that was never read does not close.
    if (signal.aborted) stop();
    await work();
  } finally {
    signal.removeEventListener('abort', stop);
    await messages.close();
  }
}

/** Runs a handler, which may be asynchronous, and logs its failure. */
export function guarded(log: Logger, subject: string, handle: () => unknown): void {
  const failed = (error: unknown) => log.error({ err: error, subject }, 'event handler failed');
  try {
    Promise.resolve(handle()).catch(failed);
  } catch (error) {
    failed(error);
  }
}
