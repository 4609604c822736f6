import { DrydockError } from '#libs/errors.ts';
import type { SandboxSpec, Tenancy } from '#proto/drydock/internal/v1/spec.ts';

/** An organisation, and its quota on an executor. */
export type Tenant = {
  organizationId: string;
  /** Its sandboxes may be claimed from shared warm instances. If false, only from those reserved for it. */
  sharedPool: boolean;
  /** Maximum of concurrent sandboxes, including those of executions. */
  sandboxes: number;
};

// The default quota, for executions that were queued before specs carried one.
const USUAL: Tenancy = { sharedPool: true, sandboxes: 116, executions: 0 };

/** The organisation of a sandbox. Session completes every spec; an incomplete one is a defect. */
export function tenantOf({ organizationId, tenancy = USUAL }: SandboxSpec): Tenant {
  if (!organizationId || tenancy.sandboxes < 1)
    throw new DrydockError('INTERNAL', 'a sandbox spec came without its organisation');
  return { organizationId, sharedPool: tenancy.sharedPool, sandboxes: tenancy.sandboxes };
}
