import { millisecondsOf } from '#libs/catalog/limits.ts';
import type { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { signalName } from '../agent/signals.ts';

/** The end of one step of an execution: by itself, at a limit, or with its whole sandbox. */
export type StepEnd = {
  /** Undefined if the sandbox ended, or the agent did not answer in time. */
  exited: Exited | undefined;
  /** Why `exited` is undefined. */
  lost: 'OUT_OF_MEMORY' | 'EXITED' | 'OVERDUE' | undefined;
  stdout: Buffer;
  stderr: Buffer;
  /** Of this step alone; undefined if it could not be measured. */
  peakMemoryBytes: number | undefined;
};

/**
 * The verdict a run earns whatever its output; undefined if the output decides. Limits come first, because they cause the rest;
 * then signal and exit code. Memory was exceeded if the kernel killed for it: a peak says nothing, since files that were only
 * read count in it up to the limit and a page beyond, and neither does text, which any program can write. Or its runtime gave up
 * because its own heap was full, by the signal that it uses for that, and a process did hold more than half of the memory.
 */
export function failureOf(
  { limits, heapFullSignal }: Pick<ExecutionStep, 'limits' | 'heapFullSignal'>,
  { exited, lost }: Pick<StepEnd, 'exited' | 'lost'>,
): Verdict | undefined {
  const { wallTime, cpuTime, memoryBytes } = limits!;
  const failed = exited?.signal !== 0 || exited.exitCode !== 0;
  if (lost === 'OVERDUE' || exited?.limit === 'LIMIT_KIND_WALL_TIME') return 'WALL_TIME_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_CPU_TIME') return 'CPU_TIME_EXCEEDED';
  // It may have ended by itself between the limit and the agent's next check.
  if (exited && isOver(exited.wallNanoseconds, wallTime!)) return 'WALL_TIME_EXCEEDED';
  if (exited && isOver(exited.cpuNanoseconds, cpuTime!)) return 'CPU_TIME_EXCEEDED';
  if (lost === 'OUT_OF_MEMORY' || (exited && exited.oomKills > 0)) return 'MEMORY_EXCEEDED';
  if (heapFullSignal && signalName(exited?.signal ?? 0) === heapFullSignal && exited!.residentBytes > memoryBytes / 2)
    return 'MEMORY_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_OUTPUT') return 'OUTPUT_EXCEEDED';
  return failed ? 'RUNTIME_ERROR' : undefined;
}

function isOver(nanoseconds: number, limit: Duration): boolean {
  return nanoseconds / 1e6 > millisecondsOf(limit);
}
