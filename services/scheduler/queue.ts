import type { Events } from '#libs/nats/events.ts';
import type { WorkQueue } from '#libs/nats/work-queue.ts';
import { gauge } from '#libs/telemetry.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import { createAttempts } from './attempts.ts';
import { serveLines } from './lines.ts';
import { freeSlots } from './placement.ts';
import { type Dependencies as TurnDependencies, useTurn } from './queued-executions.ts';
import { createTurns } from './turns.ts';

const DRAIN_MS = 10_000;

export type Dependencies = Omit<TurnDependencies, 'attempts' | 'placed' | 'left' | 'stopping'> & {
  events: Pick<Events, 'connected' | 'subscribe' | 'onConnect'>;
  work: WorkQueue<ExecutionQueued>;
};

export type Queue = AsyncDisposable & {
  /** Executors have announced themselves: there may be room. */
  offer(): void;
};

/**
 * Runs the executions of the queue wherever there are slots. Disposing takes no more, lets what runs end for 10 s, and puts
 * the rest back into the queue.
 */
export function startQueue(dependencies: Dependencies): Queue {
  const { session, directory, log } = dependencies;
  const stopping = new AbortController();
  const running = new Set<Promise<void>>();
  const attempts = createAttempts(session, log);
  // Turns that have a slot which no executor knows of yet.
  let granted = 0;
  const turns = createTurns(() => {
    if (freeSlots(directory()) - granted <= 0) return false;
    granted += 1;
    return true;
  });
  const placed = () => {
    granted -= 1;
    turns.offer();
  };
  const lines = serveLines({
    ...dependencies,
    turns,
    attempts,
    async run(organizationId, turn) {
      const run = useTurn(
        { ...dependencies, attempts, placed, left: turns.offer, stopping: stopping.signal },
        organizationId,
        turn,
      );
      running.add(run);
      await run.finally(() => running.delete(run));
      turns.offer();
    },
  });
  gauge('scheduler_running_executions', 'Turns of the queue that are being used.', [], (set) => set({}, running.size));
  return {
    offer: turns.offer,
    async [Symbol.asyncDispose]() {
      await lines[Symbol.asyncDispose]();
      const drain = setTimeout(() => stopping.abort(), DRAIN_MS);
      while (running.size > 0) await Promise.all(running);
      clearTimeout(drain);
      await attempts[Symbol.asyncDispose]();
    },
  };
}
