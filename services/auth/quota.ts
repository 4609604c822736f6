import type { FieldChecks } from '#libs/field-checks.ts';
import type { AppliedQuota } from '#proto/drydock/internal/v1/caller.ts';
import type { Quota } from '#proto/drydock/v1/auth.ts';

const GiB = 1024 ** 3;

const MAX: Record<Exclude<keyof AppliedQuota, 'sharedPool'>, number> = {
  concurrentSandboxes: 100_000,
  concurrentExecutions: 10_000,
  queuedExecutions: 10_000_000,
  queueWeight: 10_000,
  blobBytes: 100 * 1024 * GiB,
};

/** Reports the fields of a quota that are out of range. */
export function checkQuota(quota: Quota | undefined, check: FieldChecks): void {
  for (const [name, max] of Object.entries(MAX) as [keyof typeof MAX, number][]) {
    const asked = quota?.[name];
    if (asked !== undefined && !(asked >= 1 && asked <= max))
      check.violation(`quota.${name}`, `must be from 1 to ${max}`);
  }
}

/** A quota with every field set; absent ones get their defaults. */
export function applyQuota(quota: Quota | undefined): AppliedQuota {
  return {
    concurrentSandboxes: quota?.concurrentSandboxes ?? 100,
    concurrentExecutions: quota?.concurrentExecutions ?? 16,
    queuedExecutions: quota?.queuedExecutions ?? 100_000,
    queueWeight: quota?.queueWeight ?? 100,
    sharedPool: quota?.sharedPool ?? true,
    blobBytes: quota?.blobBytes ?? 10 * GiB,
  };
}

/** The columns of `organizations` that are its quota. */
export type QuotaRow = {
  concurrent_sandboxes: number;
  concurrent_executions: number;
  queued_executions: number;
  queue_weight: number;
  shared_pool: boolean;
  blob_bytes: number;
};

export function quotaOf(row: QuotaRow): AppliedQuota {
  return {
    concurrentSandboxes: row.concurrent_sandboxes,
    concurrentExecutions: row.concurrent_executions,
    queuedExecutions: row.queued_executions,
    queueWeight: row.queue_weight,
    sharedPool: row.shared_pool,
    blobBytes: row.blob_bytes,
  };
}
