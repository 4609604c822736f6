import { DrydockError } from '#libs/errors.ts';
import type { SandboxSpec, Tenancy } from '#proto/drydock/internal/v1/spec.ts';

/** An organisation, and what it may have where its sandboxes run. */
export type Tenant = {
  organizationId: string;
  /** Instances that are nobody's yet may become its own. Where not, it has those that were made for it. */
  sharedPool: boolean;
  /** Sandboxes at one time, those of executions among them. */
  sandboxes: number;
};

// Of an organisation with the usual quota: what was queued before specs said so.
const USUAL: Tenancy = { sharedPool: true, sandboxes: 116 };

/** Whose a sandbox is to be. Session completes every spec; one that is not complete is a defect. */
export function tenantOf({ organizationId, tenancy = USUAL }: SandboxSpec): Tenant {
  if (!organizationId || tenancy.sandboxes < 1)
    throw new DrydockError('INTERNAL', 'a sandbox spec came without its organisation');
  return { organizationId, sharedPool: tenancy.sharedPool, sandboxes: tenancy.sandboxes };
}
