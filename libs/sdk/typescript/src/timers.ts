/** What the timers of Node hold, about 24.8 days; a longer one fires at once. */
export const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Runs `act` after this time, however long; answers with what prevents it. With `unref` it keeps no process alive. */
export function startTimer(ms: number, act: () => void, { unref = false } = {}): () => void {
  let timer: ReturnType<typeof setTimeout>;
  const wait = (left: number) => {
    const ms = Math.min(left, LONGEST_TIMER_MS);
    timer = setTimeout(() => (left > ms ? wait(left - ms) : act()), ms);
    // A browser's timers are numbers, and keep nothing alive.
    if (unref && typeof timer === 'object') timer.unref();
  };
  wait(ms);
  return () => clearTimeout(timer);
}
