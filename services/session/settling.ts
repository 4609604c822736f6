import type { Events } from '#libs/events.ts';

/** Core NATS: something that somebody may wait for has happened; the payload is its id. */
const SETTLED_SUBJECT = 'drydock.settled';

// Wake-ups are lost while NATS is away, and that of a replica which is killed. Thousands may wait at one time.
const LOOK_AGAIN_MS = 5_000;
const LOOK_ALONE_MS = 1_000;

export type Settling = {
  /** A sandbox has left PENDING, or an execution has another state: whoever waits for it, on any replica, looks again. */
  settled(id: string): void;
  /** Reads until there is an answer. Throws an AbortError when `signal` ends it. */
  until<T>(id: string, signal: AbortSignal, read: () => Promise<T | undefined>): Promise<T>;
};

/** Lets calls wait for what others bring about. */
export function createSettling(
  events: Pick<Events, 'publish' | 'subscribe' | 'connected' | 'onConnect'>,
): Settling & Disposable {
  const waiting = new Map<string, Set<() => void>>();
  const wake = (id: string) => {
    for (const look of waiting.get(id) ?? []) look();
  };
  const parts = new DisposableStack();
  parts.use(events.subscribe(SETTLED_SUBJECT, (data) => wake(Buffer.from(data).toString())));
  parts.use(events.onConnect(() => [...waiting.keys()].forEach(wake)));

  /** Resolves at the next wake-up, after a while, or when the signal ends. */
  const next = (id: string, signal: AbortSignal) =>
    new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer);
        signal.removeEventListener('abort', done);
        const others = waiting.get(id);
        others?.delete(done);
        if (others?.size === 0) waiting.delete(id);
        resolve();
      };
      const timer = setTimeout(done, events.connected() ? LOOK_AGAIN_MS : LOOK_ALONE_MS);
      signal.addEventListener('abort', done, { once: true });
      waiting.set(id, (waiting.get(id) ?? new Set()).add(done));
    });

  return {
    settled(id) {
      wake(id);
      events.publish(SETTLED_SUBJECT, Buffer.from(id));
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
