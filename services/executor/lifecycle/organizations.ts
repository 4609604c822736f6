import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Events } from '#libs/nats/events.ts';
import { ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { OrganizationDeleted } from '#proto/drydock/internal/v1/events.ts';
import type { Backend } from '../backends/backend.ts';
import { eachOf } from '../backends/each-of.ts';
import type { Artifacts } from '../executions/artifacts.ts';
import type { Blobs } from '../executions/blobs/blobs.ts';
import type { CellHosts } from '../executions/cell-hosts.ts';
import type { Pool } from '../instances/pool.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';

const RETRY_MS = 5_000;

export type Dependencies = {
  events: Events;
  sandboxes: Sandboxes;
  cellHosts: CellHosts;
  pool: Pool;
  artifacts: Pick<Artifacts, 'forget'>;
  blobs: Pick<Blobs, 'forget'>;
  backend: Pick<Backend, 'cluster'>;
  log: Logger;
};

/**
 * Destroys everything that a deleted organisation has on this executor, also if it was deleted while this executor was away.
 * Failures are retried every 5 s.
 */
export function followDeletions(dependencies: Dependencies, missedSince: Date): AsyncDisposable {
  const { events, log } = dependencies;
  const parts = new AsyncDisposableStack();
  const deleted = new Set<string>();
  const periodic = parts.use(
    every(RETRY_MS, log, () =>
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

async function forget(dependencies: Dependencies, organizationId: string): Promise<void> {
  const { sandboxes, cellHosts, pool, artifacts, blobs, backend, log } = dependencies;
  const own = sandboxes.list().filter((sandbox) => sandbox.organizationId === organizationId);
  await Promise.all(own.map(({ sandboxId }) => sandboxes.destroy(sandboxId)));
  await cellHosts.discardOf(organizationId);
  await pool.forget(organizationId);
  await artifacts.forget(organizationId);
  await blobs.forget(organizationId);
  await backend.cluster?.forget(organizationId);
  log.info({ organizationId, sandboxes: own.length }, 'destroyed everything of a deleted organisation');
}
