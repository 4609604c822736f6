import type { Exited } from '#proto/drydock/agent/v1/agent.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { matches } from './comparison.ts';

/** How one step of an execution ended: by itself or at a limit, or with its whole sandbox. */
export type Ended = {
  /** Absent where the sandbox ended under it, or the agent did not answer within the time. */
  exited: Exited | undefined;
  /** Why it is absent. */
  lost: 'OUT_OF_MEMORY' | 'EXITED' | 'OVERDUE' | undefined;
  stdout: Buffer;
  stderr: Buffer;
};

type Judged = Pick<ExecutionSpec, 'expectedOutput' | 'comparison' | 'floatTolerance'>;

/** Limits come first, since they are why the rest happened; then signal, exit code and output. */
export function verdictOf(spec: Judged, { exited, lost, stdout }: Ended): Verdict {
  if (lost === 'OVERDUE' || exited?.limit === 'LIMIT_KIND_WALL_TIME') return 'WALL_TIME_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_CPU_TIME') return 'CPU_TIME_EXCEEDED';
  if (lost === 'OUT_OF_MEMORY' || (exited && exited.oomKills > 0)) return 'MEMORY_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_OUTPUT') return 'OUTPUT_EXCEEDED';
  if (exited?.signal !== 0 || exited.exitCode !== 0) return 'RUNTIME_ERROR';
  if (spec.expectedOutput === undefined) return 'ACCEPTED';
  const matched = matches(stdout.toString(), spec.expectedOutput, spec.comparison, spec.floatTolerance);
  return matched ? 'ACCEPTED' : 'WRONG_ANSWER';
}
