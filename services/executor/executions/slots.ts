import { DrydockError } from '#libs/errors.ts';
import { gauge } from '#libs/telemetry.ts';

// A caller that would wait longer is better served by another executor, or by a retry.
const WAITING_PER_SLOT = 8;
const LONGEST_WAIT_MS = 5_000;
const RETRY_AFTER_MS = 1_000;

export type Slots = {
  /** Waits for a slot in FIFO order; disposing frees it. Errors: NO_CAPACITY. */
  take(signal: AbortSignal): Promise<Disposable>;
  /** A slot that is free now; undefined if there is none, or somebody waits for one. */
  tryTake(): Disposable | undefined;
  readonly total: number;
  /** The number of slots in use. */
  used(): number;
};

/** Limits concurrent executions; the rest wait in a short FIFO queue. */
export function createSlots(total: number, longestWaitMs = LONGEST_WAIT_MS): Slots {
  const queue = new Set<() => void>();
  let used = 0;
  gauge('executor_executions', 'Executions that run now.', [], (set) => set({}, used));

  const slot = (): Disposable => {
    let given = false;
    return {
      [Symbol.dispose]() {
        if (given) return;
        given = true;
        const [next] = queue;
        if (!next) used--;
        else next();
      },
    };
  };

  /** A freed slot goes straight to the first in the queue: a new caller cannot take it in between. */
  const untilFree = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => leave(() => reject(full())), longestWaitMs);
      const aborted = () => leave(() => reject(signal.reason));
      const leave = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        queue.delete(called);
        settle();
      };
      const called = () => leave(resolve);
      signal.addEventListener('abort', aborted, { once: true });
      queue.add(called);
    });

  return {
    async take(signal) {
      signal.throwIfAborted();
      if (used < total) {
        used++;
        return slot();
      }
      if (queue.size >= total * WAITING_PER_SLOT) throw full();
      await untilFree(signal);
      return slot();
    },
    tryTake() {
      if (used >= total) return undefined;
      used++;
      return slot();
    },
    total,
    used: () => used,
  };
}

function full(): DrydockError {
  return new DrydockError('NO_CAPACITY', 'all execution slots are busy', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
