import { setTimeout as pause } from 'node:timers/promises';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { EndedReason } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import type { Slots } from '../executions/slots.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

const LOOK_MS = 500;
const SIGNAL = 'SIGUSR2';

export type Drain = Disposable & {
  /** Aborted once this executor takes nothing new. */
  readonly begun: AbortSignal;
  /** Throws NO_CAPACITY once it does not. */
  check(): void;
};

/**
 * SIGUSR2 empties this executor, so that its host can be taken away: nothing new is taken, what is there goes on. Several
 * signals are as one.
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
      if (begun.signal.aborted) throw new DrydockError('NO_CAPACITY', 'this executor is being emptied');
    },
    [Symbol.dispose]: () => void process.off(SIGNAL, begin),
  };
}

/**
 * Resolves when nothing is left of what a draining executor had. What is still there after `limitMs` is destroyed, and
 * reported as EVICTED. `signal` ends the wait and leaves everything as it is.
 */
export async function untilEmpty(
  dependencies: {
    sandboxes: Sandboxes;
    slots: Slots;
    report: (sandbox: Claim, reason: EndedReason) => void;
    limitMs: number;
    log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const { sandboxes, slots, report, limitMs, log } = dependencies;
  const end = Date.now() + limitMs;
  while (!signal.aborted && (sandboxes.list().length > 0 || slots.taken() > 0)) {
    if (Date.now() > end) {
      const left = sandboxes.list();
      log.warn({ sandboxes: left.length, executions: slots.taken() }, 'evicting what did not end');
      for (const sandbox of left) report(sandbox, 'EVICTED');
      await Promise.all(left.map(({ sandboxId }) => sandboxes.destroy(sandboxId)));
      return;
    }
    await pause(LOOK_MS, undefined, { signal }).catch(() => {});
  }
}
