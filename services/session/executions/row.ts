import { Execution, type Execution_State } from '#proto/drydock/v1/execution.ts';

export type ExecutionRow = {
  id: string;
  organization_id: string;
  /** Null without one, and once it was given back. */
  request_id: string | null;
  request_sha256: Buffer;
  language: string;
  template: string;
  state: Execution_State;
  /** The public message as its wire bytes in base64, which every later version can read. */
  result: string | null;
  stdout: Buffer | null;
  stderr: Buffer | null;
  transcript?: Buffer | null;
  /** Stored bytes of the outputs, if `stdout` and `stderr` are only their beginnings. */
  stdout_bytes?: number | null;
  stderr_bytes?: number | null;
  transcript_bytes?: number | null;
  create_time: Date;
  start_time: Date | null;
  finish_time: Date | null;
  deadline: Date | null;
  priority: number;
  attempt: number;
  failures: number;
  /** An internal ExecutionSpec, for executions of the queue until they have ended. */
  spec: Buffer | null;
  message: string;
  test_set_id: string | null;
};

export function hasEnded({ state }: Pick<ExecutionRow, 'state'>): boolean {
  return state === 'FINISHED' || state === 'CANCELLED';
}

/** The value of `ExecutionRow.result`: an execution without its output. */
export function encodeResult(execution: Execution): string {
  return Buffer.from(Execution.encode({ ...execution, stdout: '', stderr: '' }).finish()).toString('base64');
}

export function toExecution(row: ExecutionRow): Execution {
  const found = row.result ? Execution.decode(Buffer.from(row.result, 'base64')) : Execution.create();
  const { stdout, stderr } = row;
  return {
    ...found,
    id: row.id,
    state: row.state,
    language: row.language,
    template: row.template,
    stdout: textOf(stdout, row.stdout_bytes),
    stderr: textOf(stderr, row.stderr_bytes),
    stdoutTruncated: found.stdoutTruncated || isCut(stdout, row.stdout_bytes),
    stderrTruncated: found.stderrTruncated || isCut(stderr, row.stderr_bytes),
    createTime: row.create_time,
    startTime: row.start_time ?? undefined,
    finishTime: row.finish_time ?? undefined,
    attempts: row.attempt,
    priority: row.priority,
  };
}

function isCut(output: Buffer | null, bytes: number | null | undefined): boolean {
  return (bytes ?? 0) > (output?.length ?? 0);
}

/** Cut at the end of a character. */
function textOf(output: Buffer | null, bytes: number | null | undefined): string {
  if (!output) return '';
  return new TextDecoder().decode(output, { stream: isCut(output, bytes) });
}
