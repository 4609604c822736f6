import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { OrganizationDeleted } from '#proto/drydock/internal/v1/events.ts';
import type { Backend } from '../backends/backend.ts';
import { eachOf } from '../backends/each-of.ts';
import type { Leases } from '../executions/cell-hosts.ts';
import type { Pool } from '../instances/pool.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

const RETRY_MS = 5_000;

export type Dependencies = {
  sandboxes: Sandboxes;
  leases: Leases;
  pool: () => Pool;
  backend: Pick<Backend, 'forget'>;
  log: Logger;
};

/**
 * Ends all that is an organisation's here once it is deleted, also where that was while this executor was away, and again until
 * it has succeeded.
 */
export function followDeletions(events: Events, dependencies: Dependencies, missedSince: Date): AsyncDisposable {
  const parts = new AsyncDisposableStack();
  const deleted = new Set<string>();
  const periodic = parts.use(
    every(RETRY_MS, dependencies.log, () =>
      eachOf(deleted, async (organizationId) => {
        await forget(dependencies, organizationId);
        deleted.delete(organizationId);
      }),
    ),
  );
  const handle = ({ organizationId }: OrganizationDeleted) => {
    deleted.add(organizationId);
    periodic.trigger();
  };
  parts.use(events.follow(ORGANIZATION_DELETED, { since: missedSince, handle }));
  return parts;
}

async function forget({ sandboxes, leases, pool, backend, log }: Dependencies, organizationId: string): Promise<void> {
  const own = sandboxes.list().filter((sandbox) => sandbox.organizationId === organizationId);
  await Promise.all(own.map(({ sandboxId }) => sandboxes.destroy(sandboxId)));
  await leases.discardOf(organizationId);
  await pool().forget(organizationId);
  await backend.forget(organizationId);
  log.info({ organizationId, sandboxes: own.length }, 'deleted organisation forgotten');
}
