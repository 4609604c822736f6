import type { Logger } from '#libs/log.ts';

/** Runs a service until SIGTERM or SIGINT. Resources that `main` opened with `using` are released before the process ends. */
export async function run(log: Logger, main: (shutdown: AbortSignal) => Promise<void>): Promise<void> {
  const shutdown = new AbortController();
  const stop = (signal: string) => {
    log.info({ signal }, 'stopping');
    shutdown.abort();
  };
  process.once('SIGTERM', stop).once('SIGINT', stop);
  try {
    await main(shutdown.signal);
    log.info('stopped');
  } catch (error) {
    log.fatal({ err: error }, 'failed');
    process.exitCode = 1;
  } finally {
    process.off('SIGTERM', stop).off('SIGINT', stop);
  }
}

/** Resolves when the signal is aborted. */
export function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
}

/**
 * A signal that is aborted after `ms`, unless it is disposed before. One of `AbortSignal.timeout` fires even when nobody listens any
 * more, and keeps what listened until then. Like that, it keeps no process alive.
 */
export function abortAfter(ms: number): { signal: AbortSignal } & Disposable {
  const late = new AbortController();
  const timer = setTimeout(() => late.abort(new DOMException(`${ms} ms are over`, 'TimeoutError')), ms).unref();
  return { signal: late.signal, [Symbol.dispose]: () => clearTimeout(timer) };
}

/** For `catch`: undefined if a call ended because the signal was aborted. Throws any other error. */
export function ifAborted(signal: AbortSignal): (error: unknown) => undefined {
  return (error) => {
    if (!signal.aborted || error !== signal.reason) throw error;
  };
}

/** Resolves after `ms`, or when the signal is aborted. */
export function pause(ms: number, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve();
    const timer = setTimeout(done, ms);
    function done() {
      clearTimeout(timer);
      signal.removeEventListener('abort', done);
      resolve();
    }
    signal.addEventListener('abort', done, { once: true });
  });
}

export type Periodic = AsyncDisposable & {
  /** Runs the task at once, or as soon as the current run has ended, without waiting for the interval. */
  trigger(): void;
};

/**
 * Runs a task at once, and again `intervalMs` after each run has ended: it never overlaps itself. A failure is logged, and the
 * next run comes as usual. Disposing aborts the task's signal and waits for it.
 */
export function every(intervalMs: number, log: Logger, task: (signal: AbortSignal) => Promise<unknown>): Periodic {
  const stop = new AbortController();
  let wake = () => {};
  let again = false;
  const pause = () =>
    new Promise<void>((resolve) => {
      if (again || stop.signal.aborted) return resolve();
      const timer = setTimeout(resolve, intervalMs);
      wake = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  const loop = async () => {
    while (!stop.signal.aborted) {
      again = false;
      try {
        await task(stop.signal);
      } catch (error) {
        if (!stop.signal.aborted) log.error({ err: error }, 'periodic task failed');
      }
      await pause();
    }
  };
  const ended = loop();
  return {
    trigger() {
      again = true;
      wake();
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      wake();
      await ended;
    },
  };
}
