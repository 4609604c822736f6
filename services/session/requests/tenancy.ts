import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { Tenancy } from '#proto/drydock/internal/v1/spec.ts';

/** The tenancy of the caller's organisation, for its sandboxes and those of its executions. */
export function tenancyOf({ quota }: Caller): Tenancy {
  return {
    sharedPool: quota?.sharedPool ?? true,
    executions: quota?.concurrentExecutions ?? 0,
    sandboxes: (quota?.concurrentSandboxes ?? 0) + (quota?.concurrentExecutions ?? 0),
  };
}
