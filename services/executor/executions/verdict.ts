import { millisecondsOf } from '#libs/catalog/limits.ts';
import type { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';

// Where a runtime's last words are looked for. What comes before is the program's own affair.
const TAIL_BYTES = 16 * 1024;

/** How one step of an execution ended: by itself or at a limit, or with its whole sandbox. */
export type Ended = {
  /** Absent where the sandbox ended under it, or the agent did not answer within the time. */
  exited: Exited | undefined;
  /** Why it is absent. */
  lost: 'OUT_OF_MEMORY' | 'EXITED' | 'OVERDUE' | undefined;
  stdout: Buffer;
  stderr: Buffer;
  /** Of this step alone; absent where it could not be measured. */
  peakMemoryBytes: number | undefined;
};

/**
 * What speaks against a run before its output is looked at; nothing where that decides. Limits come first, since they are
 * why the rest happened; then signal and exit code.
 */
export function failureOf(
  { limits, outOfMemoryText }: Pick<ExecutionStep, 'limits' | 'outOfMemoryText'>,
  { exited, lost, stderr, peakMemoryBytes = 0 }: Ended,
): Verdict | undefined {
  const { wallTime, cpuTime, memoryBytes } = limits!;
  const failed = exited?.signal !== 0 || exited.exitCode !== 0;
  if (lost === 'OVERDUE' || exited?.limit === 'LIMIT_KIND_WALL_TIME') return 'WALL_TIME_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_CPU_TIME') return 'CPU_TIME_EXCEEDED';
  // It may have ended by itself between the limit and the agent's next look.
  if (exited && isOver(exited.wallNanoseconds, wallTime!)) return 'WALL_TIME_EXCEEDED';
  if (exited && isOver(exited.cpuNanoseconds, cpuTime!)) return 'CPU_TIME_EXCEEDED';
  if (lost === 'OUT_OF_MEMORY' || (exited && exited.oomKills > 0)) return 'MEMORY_EXCEEDED';
  if (peakMemoryBytes > memoryBytes || (failed && ranOut(stderr, outOfMemoryText))) return 'MEMORY_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_OUTPUT') return 'OUTPUT_EXCEEDED';
  return failed ? 'RUNTIME_ERROR' : undefined;
}

function isOver(nanoseconds: number, limit: Duration): boolean {
  return nanoseconds / 1e6 > millisecondsOf(limit);
}

function ranOut(stderr: Buffer, text: string): boolean {
  return text !== '' && stderr.subarray(-TAIL_BYTES).includes(text);
}
