import { setTimeout as pause } from 'node:timers/promises';
import type { Progress } from '../host/root.ts';

const FIRST_DELAY_MS = 1_000;
const MAX_DELAY_MS = 30_000;
/** A process that ran for so long is not in a loop of crashes: its next delay is the first one again. */
const STABLE_MS = 60_000;

export type Supervisor = AsyncDisposable & {
  /** A process ended though nobody asked it to. */
  onExit(process: string, reason: string): void;
};

/**
 * Starts a process that crashed again, after 1 s, and after twice as long each time up to 30 s where that does not help. Says
 * both. Disposing gives up the restarts that wait, and waits for one that is under way.
 */
export function createSupervisor({
  restart,
  say,
}: {
  /** Starts a process and waits until it is ready. */
  restart: (process: string) => Promise<void>;
  say: Progress;
}): Supervisor {
  const stop = new AbortController();
  const restarts = new Map<string, Promise<void>>();
  const delays = new Map<string, { ms: number; readyAt: number }>();

  const nextDelay = (process: string) => {
    const last = delays.get(process);
    const again = last && Date.now() - last.readyAt < STABLE_MS;
    return again ? Math.min(last.ms * 2, MAX_DELAY_MS) : FIRST_DELAY_MS;
  };
  const revive = async (process: string, first: string) => {
    for (let reason = first; !stop.signal.aborted; ) {
      const ms = nextDelay(process);
      say(`${process} ended by itself: ${reason}; it is started again in ${ms / 1000} s`);
      await pause(ms, undefined, { signal: stop.signal });
      delays.set(process, { ms, readyAt: Date.now() });
      try {
        await restart(process);
        delays.set(process, { ms, readyAt: Date.now() });
        say(`${process} runs again`);
        return;
      } catch (error) {
        [reason = ''] = (error as Error).message.split('\n');
      }
    }
  };
  return {
    onExit(process, reason) {
      // While it is being started, the one that waits for it hears of its end.
      if (stop.signal.aborted || restarts.has(process)) return;
      const restarting = revive(process, reason)
        .catch((error) => {
          if (!stop.signal.aborted) throw error;
        })
        .finally(() => restarts.delete(process));
      restarts.set(process, restarting);
    },
    async [Symbol.asyncDispose]() {
      stop.abort();
      await Promise.all(restarts.values());
    },
  };
}
