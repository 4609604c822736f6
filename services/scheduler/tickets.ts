import { setTimeout as pause } from 'node:timers/promises';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { Work } from '#libs/nats/work-queue.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { ExecutionResult } from '#proto/drydock/internal/v1/executor.ts';
import type { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Attempts } from './attempts.ts';
import type { Cancellations } from './cancellations.ts';
import { type Dependencies as DispatchDependencies, dispatch } from './dispatch.ts';

const SESSION_DEADLINE_MS = 10_000;
const RETRY_MS = 500;

export type Dependencies = DispatchDependencies & {
  session: Client<RecordServiceDefinition>;
  cancellations: Pick<Cancellations, 'watch'>;
  attempts: Attempts;
  /** Called once the ticket's slot is in use by its execution, or free again. */
  placed: () => void;
  /** Called when an execution has left its executor, before its record is completed. */
  left: () => void;
  /** Aborted when running executions are to return to the queue, because this process ends. */
  stopping: AbortSignal;
};

type Taken = { spec: ExecutionSpec; attempt: number };

/** Uses a ticket of an organisation: takes its next execution, runs it, and records the result. */
export async function useTicket(
  dependencies: Dependencies,
  organizationId: string,
  ticket: Pick<Work<unknown>, 'ack' | 'nak'>,
): Promise<void> {
  const { session, placed, log } = dependencies;
  const slot = once(placed);
  const caller = Caller.create({ organizationId });
  try {
    const { spec, attempt } = await session.takeExecution({}, { caller, deadlineMs: SESSION_DEADLINE_MS });
    if (spec) await runAttempt(dependencies, { spec, attempt }, caller, slot);
    ticket.ack();
  } catch (error) {
    log.warn({ err: error, organizationId }, 'ticket returned to the queue');
    ticket.nak(RETRY_MS);
  } finally {
    slot();
  }
}

async function runAttempt(dependencies: Dependencies, taken: Taken, caller: Caller, placed: () => void): Promise<void> {
  const { session, cancellations, attempts, left, stopping, log } = dependencies;
  const { spec, attempt } = taken;
  const { executionId } = spec;
  using held = attempts.holdAttempt({ executionId, attempt });
  using cancelled = cancellations.watch(executionId);
  const given = AbortSignal.any([held.signal, cancelled.signal]);
  let result: ExecutionResult | undefined;
  try {
    const options = { caller, signal: AbortSignal.any([given, stopping]) };
    for await (const { event } of dispatch(dependencies, spec, options, { streamOutput: false, placed }))
      if (event?.$case === 'result') result = event.value;
    left();
    if (!result) throw new DrydockError('INTERNAL', 'the execution ended without a result');
  } catch (error) {
    // It is not ours any more, and session knows why.
    if (given.aborted) return;
    log.warn({ err: error, executionId, attempt }, 'execution returned to the queue');
    const message = error instanceof DrydockError ? error.message : 'internal error';
    const lost = !stopping.aborted && !hasReason(error, 'NO_CAPACITY');
    await retryUntilRecorded(dependencies, held.signal, () =>
      session.returnExecution({ executionId, attempt, message, lost }, { caller, deadlineMs: SESSION_DEADLINE_MS }),
    );
    return;
  }
  const { execution, stdout, stderr, transcript } = result;
  await retryUntilRecorded(dependencies, held.signal, () =>
    session.completeExecution(
      { execution: { ...execution!, id: executionId }, stdout, stderr, transcript, attempt, insertIfMissing: false },
      { caller, deadlineMs: SESSION_DEADLINE_MS },
    ),
  );
}

/** Retries while session is unavailable: an outage of the database must not make the execution run again. */
async function retryUntilRecorded(
  { log }: Dependencies,
  lost: AbortSignal,
  work: () => Promise<unknown>,
): Promise<void> {
  for (let tries = 0; !lost.aborted; tries++) {
    try {
      await work();
      return;
    } catch (error) {
      if (!hasReason(error, 'SERVICE_UNAVAILABLE', 'DEADLINE_TOO_SHORT')) throw error;
      if (tries === 0) log.warn({ err: error }, 'waiting for session');
      await pause(RETRY_MS);
    }
  }
}

function once(callback: () => void): () => void {
  let called = false;
  return () => {
    if (!called) callback();
    called = true;
  };
}
