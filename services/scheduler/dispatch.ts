import type { CallOptions } from '#libs/grpc/rpc.ts';
import type { Logger } from '#libs/log.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Executors } from './executors.ts';
import { place } from './placement.ts';

export type Dependencies = { executors: Executors; directory: () => ExecutorAnnounced[]; log: Logger };

/**
 * Runs an execution somewhere. Another executor is tried until one has sent its first event; from then on the run is that
 * one's. `placed` hears when that is. Errors: NO_CAPACITY, SANDBOX_START_FAILED; SERVICE_UNAVAILABLE where the executor is
 * lost under it.
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
    const events = executors.at(executor.address).runExecution({ spec, streamOutput }, { ...options, signal });
    const rest = events[Symbol.asyncIterator]();
    return { first: await orAbortReason(rest.next(), alive, options.signal), rest, executor, alive };
  };
  const { first, rest, executor, alive } = await place(directory(), demand, log, begin, options.signal);
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
    // Until the executor says so itself; if it has meanwhile, this counts for nothing.
    executor.executions -= 1;
    await rest.return?.();
  }
}

/** What became of a call; where it was cut off, why. */
async function orAbortReason<T>(answer: Promise<T>, alive: AbortSignal, signal: AbortSignal): Promise<T> {
  try {
    return await answer;
  } catch (error) {
    if (signal.aborted) throw signal.reason;
    throw alive.aborted ? alive.reason : error;
  }
}
