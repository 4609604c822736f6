import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import { Execution, type Execution_State } from '#proto/drydock/v1/execution.ts';
import type { Sandbox, Sandbox_State, Sandbox_StopReason } from '#proto/drydock/v1/sandbox.ts';

/** A sandbox may be stopped from any of these, and from STOPPED it goes nowhere. */
export const LIVE: Sandbox_State[] = ['PENDING', 'RUNNING', 'PAUSED'];

export type SandboxRow = {
  id: string;
  organization_id: string;
  request_sha256: Buffer;
  template: string;
  state: Sandbox_State;
  stop_reason: Sandbox_StopReason;
  limits: AppliedLimits;
  metadata: Record<string, string>;
  executor_id: string;
  create_time: Date;
  start_time: Date | null;
  expire_time: Date;
  stop_time: Date | null;
};

export function toSandbox(row: SandboxRow): Sandbox {
  const { memoryBytes, processes, diskBytes, cpus } = row.limits;
  return {
    id: row.id,
    template: row.template,
    state: row.state,
    stopReason: row.stop_reason,
    limits: { memoryBytes, processes, diskBytes, cpus },
    metadata: row.metadata,
    createTime: row.create_time,
    startTime: row.start_time ?? undefined,
    expireTime: row.expire_time,
    stopTime: row.stop_time ?? undefined,
  } as Sandbox;
}

export type ExecutionRow = {
  id: string;
  organization_id: string;
  request_sha256: Buffer;
  language: string;
  template: string;
  state: Execution_State;
  /** The public message as its wire bytes in base64: what this version wrote, every later one reads. */
  result: string | null;
  stdout: Buffer | null;
  stderr: Buffer | null;
  create_time: Date;
  finish_time: Date | null;
  deadline: Date;
};

/** What `ExecutionRow.result` holds: all of an execution but its output. */
export function encodeResult(execution: Execution): string {
  return Buffer.from(Execution.encode({ ...execution, stdout: '', stderr: '' }).finish()).toString('base64');
}

export function toExecution(row: ExecutionRow): Execution {
  const found = row.result ? Execution.decode(Buffer.from(row.result, 'base64')) : Execution.create();
  return {
    ...found,
    id: row.id,
    state: row.state,
    language: row.language,
    template: row.template,
    isolation: 'SANDBOX',
    stdout: row.stdout?.toString() ?? '',
    stderr: row.stderr?.toString() ?? '',
    createTime: row.create_time,
    finishTime: row.finish_time ?? undefined,
  };
}
