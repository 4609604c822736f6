import { setTimeout as pause } from 'node:timers/promises';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { EXECUTION_QUEUE, tokenOf, workEvent } from '#libs/nats/subjects.ts';
import type { Work, WorkQueue } from '#libs/nats/work-queue.ts';
import { counter, durationHistogram } from '#libs/telemetry.ts';
import type { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import type { Attempts } from './attempts.ts';
import type { FairQueue } from './fair-queue.ts';

const RETRY_MS = 500;
const POLL_MS = 5_000;
const DEFAULT_WEIGHT = 100;

const served = counter('scheduler_turns_total', 'Tickets of the queue that were served.', []);
const waited = durationHistogram('scheduler_turn_wait_seconds', 'From a ticket in hand to a slot for it.', []);

export type Dependencies = {
  events: Pick<Events, 'connected' | 'subscribe' | 'onConnect'>;
  work: WorkQueue<ExecutionQueued>;
  fairQueue: FairQueue;
  attempts: Attempts;
  /** Uses a ticket that has a slot. Resolves when the ticket is acknowledged or returned; never rejects. */
  run: (organizationId: string, ticket: Work<ExecutionQueued>) => Promise<void>;
  log: Logger;
};

/** `setTime`, in milliseconds since 1970, is 0 if no operator has set the share. */
type Share = { concurrency?: number | undefined; weight: number; setTime: number };
type TenantQueue = Share & { again: boolean };

/**
 * Pulls the tickets of each organisation through its own consumer, one at a time, and runs them in weighted fair order.
 * Disposing stops pulling; running tickets go on.
 */
export function startTenantQueues(dependencies: Dependencies): AsyncDisposable {
  const { events, work, log } = dependencies;
  const stop = new AbortController();
  const queues = new Map<string, TenantQueue>();

  const begin = (organizationId: string, share: Share): void => {
    const existing = queues.get(organizationId);
    if (existing) {
      existing.again = true;
      learn(existing, share);
      return;
    }
    const queue = { ...share, again: false };
    queues.set(organizationId, queue);
    void (async () => {
      while (!stop.signal.aborted) {
        try {
          await serve(dependencies, organizationId, queue, stop.signal);
          break;
        } catch (error) {
          log.warn({ err: error, organizationId }, 'pulling tickets interrupted');
          work.forget();
          await pause(RETRY_MS);
        }
      }
      queues.delete(organizationId);
    })();
  };

  // JetStream's messages reach plain subscribers too, so new work needs no poll.
  const told = events.subscribe(workEvent(EXECUTION_QUEUE, '*'), (message, subject) =>
    begin(tokenOf(EXECUTION_QUEUE, subject), shareOf(message)),
  );
  // For tickets from before this start, from an outage of NATS, or of a process that died.
  const poll = every(POLL_MS, log, async () => {
    if (!events.connected()) return;
    for (const id of (await work.depths()).keys())
      if (!queues.has(id)) begin(id, { weight: DEFAULT_WEIGHT, setTime: 0 });
  });
  const connected = events.onConnect(poll.trigger);
  return {
    async [Symbol.asyncDispose]() {
      stop.abort();
      told[Symbol.dispose]();
      connected[Symbol.dispose]();
      await poll[Symbol.asyncDispose]();
    },
  };
}

/** Runs the tickets of one organisation until there are none. */
async function serve(
  { work, fairQueue, attempts, run }: Dependencies,
  organizationId: string,
  queue: TenantQueue,
  stop: AbortSignal,
): Promise<void> {
  while (!stop.aborted) {
    queue.again = false;
    const ticket = await work.next(organizationId, queue.concurrency, stop);
    if (!ticket && !queue.again) return;
    if (!ticket) continue;
    learn(queue, shareOf(ticket.message));
    const held = attempts.holdTicket(ticket);
    const end = waited.startTimer();
    try {
      await fairQueue.wait(organizationId, queue.weight, stop);
    } catch {
      // Stopping: another scheduler may have it at once.
      held[Symbol.dispose]();
      ticket.nak(0);
      return;
    }
    end();
    served.inc();
    void run(organizationId, ticket).finally(() => held[Symbol.dispose]());
  }
}

function shareOf({ concurrentExecutions, queueWeight, setTime }: ExecutionQueued): Share {
  return {
    concurrency: Math.max(1, concurrentExecutions),
    weight: Math.max(1, queueWeight),
    setTime: setTime?.getTime() ?? 0,
  };
}

/** A ticket may be older than the last change of the share. */
function learn(queue: TenantQueue, share: Share): void {
  if (share.setTime >= queue.setTime) Object.assign(queue, share);
}
