import { DrydockError } from '#libs/errors.ts';
import { gauge } from '#libs/telemetry.ts';

// A caller that would wait for longer is better served by another executor, or told to come again.
const WAITING_PER_SLOT = 8;
const LONGEST_WAIT_MS = 5_000;
const RETRY_AFTER_MS = 1_000;

export type Slots = {
  /** Waits, first come first served, for a slot; disposing gives it back. Errors: NO_CAPACITY. */
  take(signal: AbortSignal): Promise<Disposable>;
  readonly total: number;
  /** Slots that are taken. */
  taken(): number;
};

/** How many executions run at one time. Those beyond wait in a short line. */
export function createSlots(total: number, longestWaitMs = LONGEST_WAIT_MS): Slots {
  const line = new Set<() => void>();
  let taken = 0;
  gauge('executor_executions', 'Executions that run now.', [], (set) => set({}, taken));

  const slot = (): Disposable => {
    let given = false;
    return {
      [Symbol.dispose]() {
        if (given) return;
        given = true;
        const [next] = line;
        if (!next) taken--;
        else next();
      },
    };
  };

  /** The slot of whoever leaves goes to the first in the line, without being free in between. */
  const inLine = (signal: AbortSignal): Promise<void> =>
    new Promise((resolve, reject) => {
      const timer = setTimeout(() => leave(() => reject(full())), longestWaitMs);
      const aborted = () => leave(() => reject(signal.reason));
      const leave = (settle: () => void) => {
        clearTimeout(timer);
        signal.removeEventListener('abort', aborted);
        line.delete(called);
        settle();
      };
      const called = () => leave(resolve);
      signal.addEventListener('abort', aborted, { once: true });
      line.add(called);
    });

  return {
    async take(signal) {
      signal.throwIfAborted();
      if (taken < total) {
        taken++;
        return slot();
      }
      if (line.size >= total * WAITING_PER_SLOT) throw full();
      await inLine(signal);
      return slot();
    },
    total,
    taken: () => taken,
  };
}

function full(): DrydockError {
  return new DrydockError('NO_CAPACITY', 'this executor runs as many executions as it can', {
    retryAfterMs: RETRY_AFTER_MS,
  });
}
