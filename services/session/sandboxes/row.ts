import type { AppliedLimits } from '#proto/drydock/internal/v1/spec.ts';
import type { Sandbox, Sandbox_State, Sandbox_StopReason } from '#proto/drydock/v1/sandbox.ts';

/** The states from which a sandbox may be stopped. STOPPED is final. */
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
