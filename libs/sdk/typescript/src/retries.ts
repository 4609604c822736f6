import { type DrydockError, NoCapacityError, QuotaExceededError, UnavailableError } from './errors.ts';
import { startTimer } from './timers.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;
/** Of a stream that is joined again, one after the other. */
const MAX_BREAKS = 10;
const LASTING_MS = 30_000;

/** Whether a call that failed with this may succeed when it is made again. */
export function isPassing(error: unknown): error is DrydockError {
  if (error instanceof UnavailableError) return true;
  const refused = error instanceof NoCapacityError || error instanceof QuotaExceededError;
  return refused && error.retryAfterMs !== undefined;
}

/** Waits before try number `tries` (from 1): as the platform asked, else twice as long each time; a part of it by chance. */
export async function waitBeforeRetry(tries: number, error: DrydockError, signal: AbortSignal): Promise<void> {
  const growing = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
  const ms = (error.retryAfterMs ?? growing / 2) + (Math.random() * growing) / 2;
  signal.throwIfAborted();
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clear();
      reject(signal.reason);
    };
    const clear = startTimer(ms, () => {
      signal.removeEventListener('abort', stop);
      resolve();
    });
    signal.addEventListener('abort', stop, { once: true });
  });
}

/**
 * Counts how often a stream breaks that is then joined again: ten times at most since it brought something new (`reset`), or lasted
 * half a minute. `wait` returns when to join it again, the first time at once; it throws what broke the stream where that will not
 * pass, or breaks it too often.
 */
export function createBreaks(signal: AbortSignal = new AbortController().signal) {
  let [breaks, joined] = [0, performance.now()];
  return {
    reset() {
      breaks = 0;
    },
    async wait(broken: unknown): Promise<void> {
      if (performance.now() - joined > LASTING_MS) breaks = 0;
      breaks += 1;
      if (!(broken instanceof UnavailableError) || breaks > MAX_BREAKS) throw broken;
      if (breaks > 1) await waitBeforeRetry(breaks - 1, broken, signal);
      joined = performance.now();
    },
  };
}
