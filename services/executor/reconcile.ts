import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Logger } from '#libs/log.ts';
import type { Backend, EndedReason } from './backend.ts';
import type { Claims } from './claims.ts';
import type { Instances } from './instances.ts';
import type { Pool } from './pool.ts';
import type { Sandbox, Sandboxes } from './sandboxes.ts';

export type Dependencies = {
  backend: Backend;
  instances: Instances;
  sandboxes: Sandboxes;
  claims: Claims;
  catalog: Catalog;
  pool: () => Pool;
  /** Tells of a sandbox that ended without having been told to. */
  report: (sandbox: Sandbox, reason: EndedReason) => void;
  log: Logger;
};

/** Takes back what an earlier process held: confirmed claims live on, everything else is of unknown history and goes. */
export async function adoptInstances({ backend, instances, sandboxes, claims, catalog, log }: Dependencies): Promise<void> {
  const running = new Map((await backend.list()).map(({ instanceId, template }) => [instanceId, template]));
  const takeOver = async (instanceId: string): Promise<void> => {
    const claim = await claims.read(instanceId);
    const template = catalog.templates.get(claim?.template ?? '');
    if (running.has(instanceId) && claim?.confirmed && template) {
      try {
        sandboxes.adopt(await instances.adopt(instanceId, template, claim.limits), claim);
        log.info({ sandboxId: claim.sandboxId, instanceId }, 'sandbox taken over');
        return;
      } catch (error) {
        log.warn({ err: error, sandboxId: claim.sandboxId }, 'sandbox could not be taken over');
      }
    }
    await backend.destroy(instanceId);
    await claims.remove(instanceId);
  };
  await Promise.all((await backend.listAll()).map(takeOver));
}

/** Holds what the backend has against what is known here: what vanished is reported, what nobody knows is destroyed. */
export async function reconcile(dependencies: Dependencies): Promise<void> {
  const { backend, instances, sandboxes, claims, log } = dependencies;
  // The order matters: an instance made between the two lists is known, and not yet missed.
  const held = sandboxes.list();
  const existing = await backend.listAll();
  const running = new Set((await backend.list()).map(({ instanceId }) => instanceId));
  for (const sandbox of held) if (!running.has(sandbox.instance.id)) await instanceEnded(dependencies, sandbox.instance.id, 'EXITED');
  for (const instanceId of existing.filter((id) => !instances.isKnown(id))) {
    log.warn({ instanceId }, 'unknown instance destroyed');
    await backend.destroy(instanceId);
    await claims.remove(instanceId);
  }
}

/** What follows when an instance ends by itself, warm or claimed. */
export async function instanceEnded(
  { pool, instances, sandboxes, report, log }: Dependencies,
  instanceId: string,
  reason: EndedReason,
): Promise<void> {
  const warm = pool().drop(instanceId);
  if (warm) {
    log.warn({ instanceId, reason }, 'warm sandbox ended');
    await instances.destroy(warm);
    return;
  }
  const sandbox = await sandboxes.instanceEnded(instanceId, reason);
  if (sandbox) report(sandbox, reason);
}

/** Ends sandboxes whose time is over or whose claim nobody confirmed, also while the rest of the platform is away. */
export async function enforceDeadlines({ sandboxes, log }: Pick<Dependencies, 'sandboxes' | 'log'>): Promise<void> {
  const overdue = sandboxes.overdue(Date.now());
  await Promise.all(
    overdue.map(async ({ sandboxId, confirmed }) => {
      log.info({ sandboxId, confirmed }, 'overdue sandbox destroyed');
      await sandboxes.destroy(sandboxId);
    }),
  );
}
