import {
  AckPolicy,
  type Consumer,
  DeliverPolicy,
  type JsMsg,
  jetstream,
  RetentionPolicy,
  StorageType,
} from '@nats-io/jetstream';
import type { Events } from '#libs/nats/events.ts';
import { managerOf, missingConsumer } from '#libs/nats/streams.ts';

const FETCH_MS = 5_000;

export type WorkQueueOptions = {
  /** Name of the stream. */
  name: string;
  /** Subjects are this and one more token. */
  prefix: string;
  /** A message that is neither acknowledged nor kept by then is handed out again. */
  ackWaitMs: number;
};

/** Turns for executions: subjects end in an organisation's id, a message is an `ExecutionQueued`. */
export const EXECUTION_QUEUE: WorkQueueOptions = { name: 'QUEUE', prefix: 'drydock.queue', ackWaitMs: 15_000 };

/** A message that is this process's to work on until it is acknowledged, given back, or not kept for too long. */
export type Work = {
  data: Uint8Array;
  /** Takes it for `ackWaitMs` more. */
  keep(): void;
  /** It is done and never handed out again. */
  done(): void;
  /** Somebody else may have it, after a while. */
  giveBack(afterMs: number): void;
};

export type WorkQueue = {
  /**
   * Messages on each last token of a subject that are not done, those being worked on included. One that NATS kept though it
   * knows that it is done, as after it was killed, is not among them, and is removed.
   */
  depths(): Promise<Map<string, number>>;
  /**
   * The next message of a subject; nothing where none comes for 5 s or `signal` ends. At most `concurrency` messages of it
   * are out at one time, over all processes; undefined leaves it at what it is. Throws while NATS is away.
   */
  next(token: string, concurrency: number | undefined, signal: AbortSignal): Promise<Work | undefined>;
  /** Forgets what is known of consumers, so that they are made again: NATS may have lost them. */
  forget(): void;
};

/** A JetStream work queue with one durable consumer for each last token of its subjects. */
export function openWorkQueue(events: Events, { name, prefix, ackWaitMs }: WorkQueueOptions): WorkQueue {
  const stream = {
    name,
    subjects: [`${prefix}.*`],
    retention: RetentionPolicy.Workqueue,
    storage: StorageType.File,
  };
  const known = new Map<string, { concurrency: number; consumer: Consumer }>();

  const manager = () => managerOf(events.connection(), [stream]);

  /** Makes the consumer, or changes how many messages it has out. */
  const consumerOf = async (token: string, wanted: number | undefined): Promise<Consumer> => {
    const existing = known.get(token);
    if (existing && (wanted ?? existing.concurrency) === existing.concurrency) return existing.consumer;
    const { consumers } = await manager();
    const made = await consumers.info(name, token).catch(missingConsumer);
    const concurrency = wanted ?? made?.config.max_ack_pending ?? 1;
    const config = {
      durable_name: token,
      filter_subject: `${prefix}.${token}`,
      ack_policy: AckPolicy.Explicit,
      deliver_policy: DeliverPolicy.All,
      ack_wait: ackWaitMs * 1e6,
      max_ack_pending: concurrency,
      max_deliver: -1,
    };
    if (made) await consumers.update(name, token, config);
    else await consumers.add(name, config);
    const consumer = await jetstream(events.connection()).consumers.get(name, token);
    known.set(token, { concurrency, consumer });
    return consumer;
  };

  return {
    async depths() {
      const { streams, consumers } = await manager();
      const { state } = await streams.info(name, { subjects_filter: `${prefix}.*` });
      const counts = Object.entries(state.subjects ?? {}).map(async ([subject, count]) => {
        const token = subject.slice(prefix.length + 1);
        // Without a consumer nobody has had any of them yet.
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
        for await (const message of messages) return toWork(message);
        return undefined;
      } finally {
        signal.removeEventListener('abort', stop);
        await messages.close();
      }
    },
    forget: () => known.clear(),
  };
}

function toWork(message: JsMsg): Work {
  return {
    data: message.data,
    keep: () => message.working(),
    done: () => message.ack(),
    giveBack: (afterMs) => message.nak(afterMs),
  };
}
