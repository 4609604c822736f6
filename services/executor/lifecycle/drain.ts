import { setTimeout as pause } from 'node:timers/promises';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { Slots } from '../executions/slots.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';
import type { Reporter } from './reporter.ts';

const POLL_MS = 500;
const SIGNAL = 'SIGUSR2';

export type Drain = Disposable & {
  /** Aborted once this executor accepts nothing new. */
  readonly begun: AbortSignal;
  /** Throws NO_CAPACITY once this executor accepts nothing new. */
  check(): void;
};

/**
 * Begins to drain this executor on SIGUSR2, so that its host can be removed: it accepts nothing new, and finishes what it has.
 * Further signals change nothing.
 */
export function drainOnSignal(log: Logger): Drain {
  const begun = new AbortController();
  const begin = () => {
    if (!begun.signal.aborted) log.info('draining');
    begun.abort();
  };
  process.on(SIGNAL, begin);
  return {
    begun: begun.signal,
    check() {
      if (begun.signal.aborted) throw new DrydockError('NO_CAPACITY', 'this executor is draining');
    },
    [Symbol.dispose]: () => void process.off(SIGNAL, begin),
  };
}

/**
 * Resolves when a draining executor has no sandboxes and executions left. After `limitMs` it destroys the remaining sandboxes, and
 * reports them as EVICTED. Aborting `signal` ends the wait and destroys nothing.
 */
export async function untilEmpty(
  dependencies: { sandboxes: Sandboxes; slots: Slots; reporter: Reporter; limitMs: number; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const { sandboxes, slots, reporter, limitMs, log } = dependencies;
  const end = Date.now() + limitMs;
  while (!signal.aborted && (sandboxes.list().length > 0 || slots.used() > 0)) {
    if (Date.now() > end) {
      const left = sandboxes.list();
      log.warn({ sandboxes: left.length, executions: slots.used() }, 'evicting the remaining sandboxes');
      for (const sandbox of left) reporter.report(sandbox, 'EVICTED');
      await Promise.all(left.map(({ sandboxId }) => sandboxes.destroy(sandboxId)));
      return;
    }
    await pause(POLL_MS, undefined, { signal }).catch(() => {});
  }
}
