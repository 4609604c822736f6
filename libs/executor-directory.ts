import type { Events } from '#libs/nats/events.ts';
import { EXECUTOR_ANNOUNCED, EXECUTORS_DISCOVER } from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

const LOST_AFTER_MS = 6_000;
const CHECK_MS = 1_000;
const ANSWER_MS = 1_000;

export type ExecutorDirectory = {
  /** Every executor whose last heartbeat is less than 6 s old. */
  list(): ExecutorAnnounced[];
  /** host:port of an executor. An unknown one is discovered, which takes up to a second; undefined if it does not answer. */
  addressOf(executorId: string): Promise<string | undefined>;
};

/**
 * Lists executors by their heartbeats. An executor that is silent for 6 s is lost: it leaves the list, and `onLost` is called
 * with its last heartbeat. `onAnnounced` is called after every heartbeat. While NATS is away no executor is declared lost.
 */
export function watchExecutors(
  events: Events,
  {
    onLost = () => {},
    onAnnounced = () => {},
    now = Date.now,
  }: { onLost?: (executor: ExecutorAnnounced) => void; onAnnounced?: () => void; now?: () => number } = {},
): ExecutorDirectory & Disposable {
  const seen = new Map<string, { announced: ExecutorAnnounced; at: number }>();
  const awaited = new Map<string, { answer: Promise<string | undefined>; settle: (address?: string) => void }>();
  const discover = () => events.publish(EXECUTORS_DISCOVER, undefined);
  const waitFor = (executorId: string): Promise<string | undefined> => {
    const asked = awaited.get(executorId);
    if (asked) return asked.answer;
    const { promise: answer, resolve } = Promise.withResolvers<string | undefined>();
    const settle = (address?: string) => {
      clearTimeout(timer);
      awaited.delete(executorId);
      resolve(address);
    };
    const timer = setTimeout(settle, ANSWER_MS);
    awaited.set(executorId, { answer, settle });
    discover();
    return answer;
  };
  const subscription = events.subscribe(EXECUTOR_ANNOUNCED, (announced) => {
    seen.set(announced.executorId, { announced, at: now() });
    awaited.get(announced.executorId)?.settle(announced.address);
    onAnnounced();
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
        onLost(announced);
      }
  }, CHECK_MS);
  return {
    list: () => [...seen.values()].map(({ announced }) => announced),
    addressOf: async (executorId) => seen.get(executorId)?.announced.address ?? waitFor(executorId),
    [Symbol.dispose]() {
      clearInterval(check);
      for (const { settle } of awaited.values()) settle();
      connected[Symbol.dispose]();
      subscription[Symbol.dispose]();
    },
  };
}
