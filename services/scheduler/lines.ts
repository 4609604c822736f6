import { setTimeout as pause } from 'node:timers/promises';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { EXECUTION_QUEUE, tokenOf, workEvent } from '#libs/nats/subjects.ts';
import type { Work, WorkQueue } from '#libs/nats/work-queue.ts';
import { counter, durationHistogram } from '#libs/telemetry.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import type { Attempts } from './attempts.ts';
import type { Turns } from './turns.ts';

const RETRY_MS = 500;
const LOOK_MS = 5_000;
const USUAL_WEIGHT = 100;

const served = counter('scheduler_turns_total', 'Turns of the queue that were served.', []);
const waited = durationHistogram('scheduler_turn_wait_seconds', 'From a turn in hand to a slot for it.', []);

export type Dependencies = {
  events: Pick<Events, 'connected' | 'subscribe' | 'onConnect'>;
  work: WorkQueue<ExecutionQueued>;
  turns: Turns;
  attempts: Attempts;
  /** Uses a turn that has a slot. Resolves when it is done with, whatever came of it. */
  run: (organizationId: string, turn: Work<ExecutionQueued>) => Promise<void>;
  log: Logger;
};

/** `setTime`, in milliseconds since 1970, is 0 where no operator has set it. */
type Share = { concurrency?: number | undefined; weight: number; setTime: number };
type Line = Share & { again: boolean };

/**
 * Pulls the turns of organisations that have some, each through its own consumer and one at a time, and hands them on in
 * weighted order. Disposing stops pulling; what runs goes on.
 */
export function serveLines({ events, work, turns, attempts, run, log }: Dependencies): AsyncDisposable {
  const stop = new AbortController();
  const lines = new Map<string, Line>();

  /** Serves one organisation until it has no more turns. */
  const serve = async (organizationId: string, line: Line): Promise<void> => {
    while (!stop.signal.aborted) {
      line.again = false;
      const turn = await work.next(organizationId, line.concurrency, stop.signal);
      if (!turn && !line.again) return;
      if (!turn) continue;
      learn(line, shareOf(turn.message));
      const kept = attempts.keep(turn);
      const end = waited.startTimer();
      try {
        await turns.wait(organizationId, line.weight, stop.signal);
      } catch {
        // Stopping: somebody else may have it at once.
        kept[Symbol.dispose]();
        turn.nak(0);
        return;
      }
      end();
      served.inc();
      void run(organizationId, turn).finally(() => kept[Symbol.dispose]());
    }
  };
  const begin = (organizationId: string, share: Share): void => {
    const existing = lines.get(organizationId);
    if (existing) {
      existing.again = true;
      learn(existing, share);
      return;
    }
    const line = { ...share, again: false };
    lines.set(organizationId, line);
    void (async () => {
      while (!stop.signal.aborted) {
        try {
          await serve(organizationId, line);
          break;
        } catch (error) {
          log.warn({ err: error, organizationId }, 'turns interrupted');
          work.forget();
          await pause(RETRY_MS);
        }
      }
      lines.delete(organizationId);
    })();
  };

  // JetStream's messages reach plain subscribers too: that there is work is heard without asking.
  const told = events.subscribe(workEvent(EXECUTION_QUEUE, '*'), (message, subject) =>
    begin(tokenOf(EXECUTION_QUEUE, subject), shareOf(message)),
  );
  // What was there before, what was told while NATS was away, and what another process had in hand when it died.
  const look = every(LOOK_MS, log, async () => {
    if (!events.connected()) return;
    for (const id of (await work.depths()).keys()) if (!lines.has(id)) begin(id, { weight: USUAL_WEIGHT, setTime: 0 });
  });
  const connected = events.onConnect(look.trigger);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      told[Symbol.dispose]();
      connected[Symbol.dispose]();
      await look[Symbol.asyncDispose]();
    },
  };
}

function shareOf({ concurrentExecutions, queueWeight, setTime }: ExecutionQueued): Share {
  return {
    concurrency: Math.max(1, concurrentExecutions),
    weight: Math.max(1, queueWeight),
    setTime: setTime?.getTime() ?? 0,
  };
}

/** A turn may have been given out before the share was set anew. */
function learn(line: Line, share: Share): void {
  if (share.setTime >= line.setTime) Object.assign(line, share);
}
