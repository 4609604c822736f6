import { AckPolicy, type ConsumerMessages, DeliverPolicy, jetstream } from '@nats-io/jetstream';
import type { NatsConnection } from '@nats-io/transport-node';
import { pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { managerOf } from '#libs/nats/streams.ts';
import type { StoredEvent } from '#libs/nats/subjects.ts';

const RETRY_MS = 500;
const NAK_MS = 1_000;
const ACK_WAIT_MS = 30_000;

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

/** Handles the messages of a durable consumer one by one. Makes the stream and the consumer if NATS has none. */
export async function consumeMessages<T>(
  connection: NatsConnection,
  { subject, stream, codec }: StoredEvent<T>,
  { durable, handle }: DurableOptions<T>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  const manager = await managerOf(connection, stream);
  await manager.consumers.add(stream.name, {
    durable_name: durable,
    filter_subject: subject,
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    ack_wait: ACK_WAIT_MS * 1e6,
  });
  const consumer = await jetstream(connection).consumers.get(stream.name, durable);
  const messages = await consumer.consume({ max_messages: 100, abort_on_missing_resource: true });
  await untilAborted(messages, signal, async () => {
    for await (const message of messages) {
      try {
        await handle(codec.decode(message.data), message.info.deliveryCount);
        message.ack();
      } catch (error) {
        log.warn({ err: error, subject: message.subject }, 'event not handled; it is delivered again');
        message.nak(NAK_MS);
      }
    }
  });
}

/** Delivers what a stream has stored since a time, and what follows, to this process alone. */
export async function followMessages<T>(
  connection: NatsConnection,
  { subject, stream, codec }: StoredEvent<T>,
  { since, handle }: FollowOptions<T>,
  signal: AbortSignal,
  log: Logger,
): Promise<void> {
  await managerOf(connection, stream);
  const consumer = await jetstream(connection).consumers.get(stream.name, {
    filter_subjects: subject,
    deliver_policy: DeliverPolicy.StartTime,
    opt_start_time: since.toISOString(),
  });
  const messages = await consumer.consume();
  await untilAborted(messages, signal, async () => {
    for await (const message of messages) guarded(log, subject, () => handle(codec.decode(message.data), subject));
  });
}

async function untilAborted(messages: ConsumerMessages, signal: AbortSignal, work: () => Promise<void>): Promise<void> {
  const stop = () => void messages.close();
  signal.addEventListener('abort', stop, { once: true });
  try {
    if (!signal.aborted) await work();
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
