import type { Events } from '#libs/nats/events.ts';
import { SETTLED } from '#libs/nats/subjects.ts';

// Wake-ups are lost while NATS is away, and that of a replica which is killed.
const LOOK_AGAIN_MS = 5_000;
const LOOK_ALONE_MS = 1_000;
const TICK_MS = 1_000;
// Thousands may wait at one time, and looking after them must not be what they wait for.
const LOOKS_PER_TICK = 200;

/** Who waits for an id, and since when nobody has looked. */
type Waiting = { since: number; looks: Set<() => void> };

export type Wakeups = {
  /** A sandbox has left PENDING, or an execution has another state: whoever waits for it, on any replica, looks again. */
  publish(id: string): void;
  /** Reads until there is an answer. Throws an AbortError when `signal` ends it. */
  until<T>(id: string, signal: AbortSignal, read: () => Promise<T | undefined>): Promise<T>;
};

/** Lets calls wait for what others bring about. */
export function createWakeups(
  events: Pick<Events, 'publish' | 'subscribe' | 'connected' | 'onConnect'>,
): Wakeups & Disposable {
  // In the order of `since`: who looks goes to the end.
  const waiting = new Map<string, Waiting>();
  const wake = (id: string) => {
    for (const look of waiting.get(id)?.looks ?? []) look();
  };
  const lookAgain = () => {
    const before = Date.now() - (events.connected() ? LOOK_AGAIN_MS : LOOK_ALONE_MS);
    const due = [...waiting].slice(0, LOOKS_PER_TICK).filter(([, { since }]) => since <= before);
    for (const [id] of due) wake(id);
  };
  const parts = new DisposableStack();
  parts.use(events.subscribe(SETTLED, wake));
  parts.use(events.onConnect(() => [...waiting.keys()].forEach(wake)));
  const ticks = setInterval(lookAgain, TICK_MS);
  parts.defer(() => clearInterval(ticks));

  /** Resolves at the next wake-up, after a while, or when the signal ends. */
  const next = (id: string, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        signal.removeEventListener('abort', done);
        const others = waiting.get(id)?.looks;
        others?.delete(done);
        if (others?.size === 0) waiting.delete(id);
        resolve();
      };
      signal.addEventListener('abort', done, { once: true });
      const others = waiting.get(id) ?? { since: Date.now(), looks: new Set() };
      others.looks.add(done);
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
          // Before the read: what happens during it must not be missed.
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
