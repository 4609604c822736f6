import type { Events } from '#libs/nats/events.ts';
import { ANY, EXECUTORS_DISCOVER, executorAnnounced } from '#libs/nats/subjects.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';

const LOST_AFTER_MS = 6_000;
const CHECK_MS = 1_000;
const ANSWER_MS = 1_000;
/** Of listeners to heartbeats: thousands of executors announce themselves every second, and a listener may look at all of them. */
const TELL_MS = 10;

type Found = ExecutorAnnounced | undefined;

export type ExecutorDirectory = {
  /** Every executor whose last heartbeat is less than 6 s old. */
  list(): ExecutorAnnounced[];
  /** The last heartbeat of an executor, if it is less than 6 s old. */
  known(executorId: string): ExecutorAnnounced | undefined;
  /** The last heartbeat of an executor. An unknown one is discovered, as for `addressOf`. */
  find(executorId: string): Promise<ExecutorAnnounced | undefined>;
  /** host:port of an executor. An unknown one is discovered, which takes up to a second; undefined if it does not answer. */
  addressOf(executorId: string): Promise<string | undefined>;
  /** Hears, until disposed, of the last heartbeat of each executor that is lost. */
  onLost(listener: (executor: ExecutorAnnounced) => void): Disposable;
  /** Hears, until disposed, that heartbeats have come: of the first at once, of others within 10 ms. */
  onAnnounced(listener: () => void): Disposable;
};

/**
 * Lists executors by their heartbeats. An executor that is silent for 6 s is lost, and leaves the list. While NATS is away no
 * executor is declared lost.
 */
export function watchExecutors(events: Events, now: () => number = Date.now): ExecutorDirectory & Disposable {
  const lost = new Set<(executor: ExecutorAnnounced) => void>();
  const heartbeats = createSignal(TELL_MS);
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
    heartbeats.give();
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
    known: (executorId) => seen.get(executorId)?.announced,
    find,
    addressOf: async (executorId) => (await find(executorId))?.address,
    onLost: (listener) => listening(lost, listener),
    onAnnounced: (listener) => listening(heartbeats.listeners, listener),
    [Symbol.dispose]() {
      clearInterval(check);
      heartbeats[Symbol.dispose]();
      for (const { settle } of awaited.values()) settle();
      connected[Symbol.dispose]();
      subscription[Symbol.dispose]();
    },
  };
}

/** Tells its listeners at once, and then at most once in `intervalMs`: of what comes meanwhile at the end of that. */
function createSignal(intervalMs: number) {
  const listeners = new Set<() => void>();
  let resting: NodeJS.Timeout | undefined;
  let isDue = false;
  const tell = () => {
    for (const listener of listeners) listener();
    resting = setTimeout(() => {
      resting = undefined;
      if (!isDue) return;
      isDue = false;
      tell();
    }, intervalMs);
  };
  return {
    listeners,
    give(): void {
      if (resting) isDue = true;
      else tell();
    },
    [Symbol.dispose]: () => clearTimeout(resting),
  };
}

function listening<T>(listeners: Set<T>, listener: T): Disposable {
  listeners.add(listener);
  return { [Symbol.dispose]: () => void listeners.delete(listener) };
}
