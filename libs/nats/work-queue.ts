import { AckPolicy, type Consumer, DeliverPolicy, type JsMsg, jetstream } from '@nats-io/jetstream';
import type { Events } from '#libs/nats/events.ts';
import { missingConsumer } from '#libs/nats/streams.ts';
import { type Codec, tokenOf, type WorkSubjects, workEvent } from '#libs/nats/subjects.ts';

const FETCH_MS = 5_000;

/** A message that is this process's to work on until it is acknowledged, or not extended for `ackWaitMs`. */
export type Work<T> = {
  message: T;
  /** Holds it for `ackWaitMs` more. */
  extend(): void;
  /** Ends it: it is never delivered again. */
  ack(): void;
  /** Lets it be delivered again, to any process, after `afterMs`. */
  nak(afterMs: number): void;
};

export type WorkQueue<T> = {
  /**
   * Messages on each last token of a subject that are not acknowledged, those being worked on included. One that is
   * acknowledged but still stored, as after NATS was killed, is not counted and is removed.
   */
  depths(): Promise<Map<string, number>>;
  /**
   * The next message of a subject; undefined if none comes for 5 s or `signal` ends. At most `concurrency` messages of it
   * are delivered and not acknowledged at one time, over all processes; undefined leaves that limit as it is. Throws while
   * NATS is away.
   */
  next(token: string, concurrency: number | undefined, signal: AbortSignal): Promise<Work<T> | undefined>;
  /** Drops cached consumers, so that they are made again: NATS may have lost them. */
  forget(): void;
};

/** A JetStream work queue with one durable consumer for each last token of its subjects. */
export function openWorkQueue<T>(events: Pick<Events, 'connection' | 'manager'>, queue: WorkSubjects<T>): WorkQueue<T> {
  const { stream, codec, ackWaitMs } = queue;
  const { name } = stream;
  const subjectOf = (token: string) => workEvent(queue, token).subject;
  const known = new Map<string, { concurrency: number; consumer: Consumer }>();

  const manager = () => events.manager(stream);

  /** Makes the consumer, or changes its limit of unacknowledged messages. */
  const consumerOf = async (token: string, wanted: number | undefined): Promise<Consumer> => {
    const existing = known.get(token);
    if (existing && (wanted ?? existing.concurrency) === existing.concurrency) return existing.consumer;
    const { consumers } = await manager();
    const found = await consumers.info(name, token).catch(missingConsumer);
    const concurrency = wanted ?? found?.config.max_ack_pending ?? 1;
    const config = {
      durable_name: token,
      filter_subject: subjectOf(token),
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ackWaitMs * 1e6,
      max_ack_pending: concurrency,
      max_deliver: -1,
    };
    if (found) await consumers.update(name, token, config);
    else await consumers.add(name, config);
    const consumer = await jetstream(events.connection()).consumers.get(name, token);
    known.set(token, { concurrency, consumer });
    return consumer;
  };

  return {
    async depths() {
      const { streams, consumers } = await manager();
      const { state } = await streams.info(name, { subjects_filter: subjectOf('*') });
      const counts = Object.entries(state.subjects ?? {}).map(async ([subject, count]) => {
        const token = tokenOf(queue, subject);
        // Without a consumer, none of them was ever delivered.
        const consumer = await consumers.info(name, token).catch(missingConsumer);
        if (!consumer) return [token, count] as const;
        const left = consumer.num_pending + consumer.num_ack_pending;
        if (left < count) await streams.purge(name, { filter: subject, seq: consumer.ack_floor.stream_seq + 1 });
        return [token, Math.min(count, left)] as const;
      });
      return new Map((await Promise.all(counts)).filter(([, count]) => count > 0));
    },
    async next(token, concurrency, signal) {
      const consumer = await consumerOf(token, concurrency);
      const messages = await consumer.fetch({ max_messages: 1, expires: FETCH_MS });
      const stop = () => void messages.close();
      signal.addEventListener('abort', stop, { once: true });
      try {
        if (signal.aborted) return undefined;
        for await (const message of messages) return toWork(message, codec);
        return undefined;
      } finally {
        signal.removeEventListener('abort', stop);
        await messages.close();
      }
    },
    forget: () => known.clear(),
  };
}

function toWork<T>(message: JsMsg, codec: Codec<T>): Work<T> {
  return {
    message: codec.decode(message.data),
    extend: () => message.working(),
    ack: () => message.ack(),
    nak: (afterMs) => message.nak(afterMs),
  };
}
