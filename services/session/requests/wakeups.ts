import type { Events } from '#libs/nats/events.ts';
import { SETTLED } from '#libs/nats/subjects.ts';

// Wake-ups are lost while NATS is away, and when a replica is killed before it publishes one.
const POLL_MS = 5_000;
const POLL_WITHOUT_NATS_MS = 1_000;
const TICK_MS = 1_000;
// Thousands of calls may wait at one time; their polls must not overload the database.
const POLLS_PER_TICK = 200;

/** The waiters for one id, and when it was last polled. */
type Waiting = { since: number; polls: Set<() => void> };

export type Wakeups = {
  /** To be called when a sandbox has left PENDING or an execution's state has changed: its waiters on every replica poll. */
  publish(id: string): void;
  /** Polls `read`, now and at each wake-up, until it answers. Throws an AbortError when `signal` is aborted. */
  until<T>(id: string, signal: AbortSignal, read: () => Promise<T | undefined>): Promise<T>;
};

/** Lets a call wait until another call, on any replica, changes a record. */
export function createWakeups(
  events: Pick<Events, 'publish' | 'subscribe' | 'connected' | 'onConnect'>,
): Wakeups & Disposable {
  // In the order of `since`: a waiter that polls moves to the end.
  const waiting = new Map<string, Waiting>();
  const wake = (id: string) => {
    for (const poll of waiting.get(id)?.polls ?? []) poll();
  };
  const pollDue = () => {
    const before = Date.now() - (events.connected() ? POLL_MS : POLL_WITHOUT_NATS_MS);
    const due = [...waiting].slice(0, POLLS_PER_TICK).filter(([, { since }]) => since <= before);
    for (const [id] of due) wake(id);
  };
  const parts = new DisposableStack();
  parts.use(events.subscribe(SETTLED, wake));
  parts.use(events.onConnect(() => [...waiting.keys()].forEach(wake)));
  const ticks = setInterval(pollDue, TICK_MS);
  parts.defer(() => clearInterval(ticks));

  /** Resolves at the next wake-up, after a while, or when the signal ends. */
  const next = (id: string, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        const others = waiting.get(id)?.polls;
        others?.delete(done);
        if (others?.size === 0) waiting.delete(id);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      const others = waiting.get(id) ?? { since: Date.now(), polls: new Set() };
      others.polls.add(done);
      waiting.set(id, others);
    });

  return {
    publish(id) {
      wake(id);
      events.publish(SETTLED, id);
    },
    async until(id, signal, read) {
      const answered = new AbortController();
      try {
        for (;;) {
          signal.throwIfAborted();
          // Before the read, so that a change during it is not missed.
          const woken = next(id, AbortSignal.any([signal, answered.signal]));
          const answer = await read();
          if (answer !== undefined) return answer;
          await woken;
        }
      } finally {
        answered.abort();
      }
    },
    [Symbol.dispose]: () => parts.dispose(),
  };
}
