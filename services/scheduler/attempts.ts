import type { Client } from '#libs/grpc/rpc.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Work } from '#libs/nats/work-queue.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';

const EXTEND_MS = 4_000;
const DEADLINE_MS = 4_000;

export type Attempt = { executionId: string; attempt: number };

export type Attempts = AsyncDisposable & {
  /** Extends a ticket until disposed. */
  holdTicket(ticket: Pick<Work<unknown>, 'extend'>): Disposable;
  /** Extends the lease of an attempt until disposed; `signal` is aborted when the lease is lost. */
  holdAttempt(attempt: Attempt): { signal: AbortSignal } & Disposable;
};

/** The heartbeat that extends this process's tickets at NATS and its attempt leases at session. */
export function createAttempts(
  session: Pick<Client<RecordServiceDefinition>, 'extendExecutions'>,
  log: Logger,
): Attempts {
  const tickets = new Set<Pick<Work<unknown>, 'extend'>>();
  const held = new Map<Attempt, AbortController>();
  const heartbeat = every(EXTEND_MS, log, async () => {
    for (const ticket of tickets) ticket.extend();
    const attempts = [...held.keys()];
    if (attempts.length === 0) return;
    const { lostExecutionIds } = await session.extendExecutions({ attempts }, { deadlineMs: DEADLINE_MS });
    const lost = new Set(lostExecutionIds);
    for (const attempt of attempts) if (lost.has(attempt.executionId)) held.get(attempt)?.abort();
  });
  return {
    holdTicket(ticket) {
      tickets.add(ticket);
      return { [Symbol.dispose]: () => void tickets.delete(ticket) };
    },
    holdAttempt(attempt) {
      const controller = new AbortController();
      held.set(attempt, controller);
      return { signal: controller.signal, [Symbol.dispose]: () => void held.delete(attempt) };
    },
    [Symbol.asyncDispose]: () => heartbeat[Symbol.asyncDispose](),
  };
}
