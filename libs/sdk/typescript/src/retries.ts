import { type DrydockError, NoCapacityError, QuotaExceededError, UnavailableError } from './errors.ts';

const FIRST_WAIT_MS = 100;
const LONGEST_WAIT_MS = 2_000;

/** Whether a call that failed with this may succeed when it is made again. */
export function isPassing(error: unknown): error is DrydockError {
  if (error instanceof UnavailableError) return true;
  const refused = error instanceof NoCapacityError || error instanceof QuotaExceededError;
  return refused && error.retryAfterMs !== undefined;
}

/** Waits before try number `tries` (from 1): as the platform asked, else twice as long each time; a part of it by chance. */
export async function waitBeforeRetry(
  tries: number,
  error: DrydockError,
  signal: AbortSignal | undefined,
): Promise<void> {
  const growing = Math.min(LONGEST_WAIT_MS, FIRST_WAIT_MS * 2 ** (tries - 1));
  const ms = (error.retryAfterMs ?? growing / 2) + (Math.random() * growing) / 2;
  await new Promise<void>((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal!.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    if (signal?.aborted) stop();
    else signal?.addEventListener('abort', stop, { once: true });
  });
}
