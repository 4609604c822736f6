import type { Events } from '#libs/nats/events.ts';
import { ANY, EXECUTORS_DISCOVER, executorAnnounced } from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

const LOST_AFTER_MS = 6_000;
const CHECK_MS = 1_000;
const ANSWER_MS = 1_000;

type Found = ExecutorAnnounced | undefined;

export type ExecutorDirectory = {
  /** Every executor whose last heartbeat is less than 6 s old. */
  list(): ExecutorAnnounced[];
  /** The last heartbeat of an executor. An unknown one is discovered, as for `addressOf`. */
  find(executorId: string): Promise<ExecutorAnnounced | undefined>;
  /** host:port of an executor. An unknown one is discovered, which takes up to a second; undefined if it does not answer. */
  addressOf(executorId: string): Promise<string | undefined>;
  /** Hears, until disposed, of the last heartbeat of each executor that is lost. */
  onLost(listener: (executor: ExecutorAnnounced) => void): Disposable;
  /** Hears of every heartbeat until disposed. */
  onAnnounced(listener: () => void): Disposable;
};

/**
 * Lists executors by their heartbeats. An executor that is silent for 6 s is lost, and leaves the list. While NATS is away no
 * executor is declared lost.
 */
export function watchExecutors(events: Events, now: () => number = Date.now): ExecutorDirectory & Disposable {
  const lost = new Set<(executor: ExecutorAnnounced) => void>();
  const heartbeats = new Set<() => void>();
  const seen = new Map<string, { announced: ExecutorAnnounced; at: number }>();
  const awaited = new Map<string, { answer: Promise<Found>; settle: (found?: ExecutorAnnounced) => void }>();
  const discover = () => events.publish(EXECUTORS_DISCOVER, undefined);
  const waitFor = (executorId: string): Promise<Found> => {
    const asked = awaited.get(executorId);
    if (asked) return asked.answer;
    const { promise: answer, resolve } = Promise.withResolvers<Found>();
    const settle = (found?: ExecutorAnnounced) => {
      clearTimeout(timer);
      awaited.delete(executorId);
      resolve(found);
    };
    const timer = setTimeout(settle, ANSWER_MS);
    awaited.set(executorId, { answer, settle });
    discover();
    return answer;
  };
  const find = async (executorId: string) => seen.get(executorId)?.announced ?? waitFor(executorId);
  const subscription = events.subscribe(executorAnnounced(ANY), (announced) => {
    seen.set(announced.executorId, { announced, at: now() });
    awaited.get(announced.executorId)?.settle(announced);
    for (const listener of heartbeats) listener();
  });
  const connected = events.onConnect(() => {
    for (const entry of seen.values()) entry.at = now();
    discover();
  });
  const check = setInterval(() => {
    if (!events.connected()) return;
    for (const [id, { announced, at }] of seen)
      if (now() - at > LOST_AFTER_MS) {
        seen.delete(id);
        for (const listener of lost) listener(announced);
      }
  }, CHECK_MS);
  return {
    list: () => [...seen.values()].map(({ announced }) => announced),
    find,
    addressOf: async (executorId) => (await find(executorId))?.address,
    onLost: (listener) => listening(lost, listener),
    onAnnounced: (listener) => listening(heartbeats, listener),
    [Symbol.dispose]() {
      clearInterval(check);
      for (const { settle } of awaited.values()) settle();
      connected[Symbol.dispose]();
      subscription[Symbol.dispose]();
    },
  };
}

function listening<T>(listeners: Set<T>, listener: T): Disposable {
  listeners.add(listener);
  return { [Symbol.dispose]: () => void listeners.delete(listener) };
}
