import type { FieldChecks } from '#libs/field-checks.ts';
import type { AppliedQuota } from '#proto/drydock/internal/v1/caller.ts';
import type { Quota } from '#proto/drydock/v1/auth.ts';

const RANGES: Record<keyof AppliedQuota, { usual: number; max: number }> = {
  concurrentSandboxes: { usual: 100, max: 100_000 },
  concurrentExecutions: { usual: 16, max: 10_000 },
  queuedExecutions: { usual: 100_000, max: 10_000_000 },
  queueWeight: { usual: 100, max: 10_000 },
};

/** A quota with every field set: what was asked for, else the default. What is out of range is told to `check`. */
export function applyQuota(quota: Quota | undefined, check: FieldChecks): AppliedQuota {
  const value = (name: keyof AppliedQuota): number => {
    const { usual, max } = RANGES[name];
    const asked = quota?.[name] ?? usual;
    if (!(asked >= 1 && asked <= max)) check.violation(`quota.${name}`, `must be from 1 to ${max}`);
    return asked;
  };
  return {
    concurrentSandboxes: value('concurrentSandboxes'),
    concurrentExecutions: value('concurrentExecutions'),
    queuedExecutions: value('queuedExecutions'),
    queueWeight: value('queueWeight'),
  };
}

/** The columns of `organizations` that are its quota. */
export type QuotaRow = {
  concurrent_sandboxes: number;
  concurrent_executions: number;
  queued_executions: number;
  queue_weight: number;
};

export function quotaOf(row: QuotaRow): AppliedQuota {
  return {
    concurrentSandboxes: row.concurrent_sandboxes,
    concurrentExecutions: row.concurrent_executions,
    queuedExecutions: row.queued_executions,
    queueWeight: row.queue_weight,
  };
}
