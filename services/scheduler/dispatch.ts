import type { ExecutorDirectory } from '#libs/executor-directory.ts';
import type { CallOptions } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Executors } from './executors.ts';
import { place } from './placement.ts';

export type Dependencies = { executors: Executors; directory: Pick<ExecutorDirectory, 'list'>; log: Logger };

/**
 * Runs an execution on one executor: each candidate is tried until one has sent its first event, and `placed` is called then.
 * Errors: NO_CAPACITY, SANDBOX_START_FAILED; SERVICE_UNAVAILABLE if the executor is lost during the run.
 */
export async function* dispatch(
  { executors, directory, log }: Dependencies,
  spec: ExecutionSpec,
  options: Required<Pick<CallOptions, 'caller' | 'signal'>>,
  { streamOutput, placed = () => {} }: { streamOutput: boolean; placed?: () => void },
): AsyncIterable<RunExecutionResponse> {
  const demand = { template: spec.sandbox?.template ?? '', execution: true as const };
  const begin = async (executor: ExecutorAnnounced) => {
    const alive = executors.alive(executor.executorId);
    const signal = AbortSignal.any([options.signal, alive]);
    const events = executors.at(executor).runExecution({ spec, streamOutput }, { ...options, signal });
    const rest = events[Symbol.asyncIterator]();
    return { first: await orAbortReason(rest.next(), alive, options.signal), rest, executor, alive };
  };
  const { first, rest, executor, alive } = await place(directory.list(), demand, log, begin, options.signal);
  placed();
  try {
    if (first.done) return;
    yield first.value;
    for (
      let next = await orAbortReason(rest.next(), alive, options.signal);
      !next.done;
      next = await orAbortReason(rest.next(), alive, options.signal)
    )
      yield next.value;
  } finally {
    // Until its next heartbeat. If one came during the run, this changed an outdated object.
    executor.executions -= 1;
    await rest.return?.();
  }
}

/** Awaits a call; if it was aborted, throws the reason of the abort. */
async function orAbortReason<T>(answer: Promise<T>, alive: AbortSignal, signal: AbortSignal): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw alive.aborted ? alive.reason : error;
  }
}
