import type { Catalog } from '#libs/catalog/catalog.ts';
import type { Logger } from '#libs/log.ts';
import type { Backend, EndedReason } from '../backends/backend.ts';
import { type Claim, parseClaim } from '../backends/claim.ts';
import { eachOf } from '../backends/each-of.ts';
import type { Leases } from '../executions/cell-hosts.ts';
import type { Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import type { Claims } from '../sandboxes/claims.ts';
import type { Quarantine } from '../sandboxes/quarantine.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';
import type { Reporter } from './announcements.ts';

export type Dependencies = {
  backend: Backend;
  instances: Instances;
  sandboxes: Sandboxes;
  leases: Leases;
  claims: Claims;
  quarantine: Quarantine;
  catalog: Catalog;
  pool: () => Pool;
  log: Logger;
} & Pick<Reporter, 'report' | 'reportInheritance'>;

type Existing = Awaited<ReturnType<Backend['list']>>[number];

/**
 * Takes back what an earlier process held. Confirmed claims live on; the others, and those whose instance is gone, are
 * reported. What has no claim, leased sandboxes among it, is of unknown history and goes. Throws where claims cannot be listed.
 */
export async function adoptInstances(dependencies: Dependencies): Promise<void> {
  const { backend, claims } = dependencies;
  const existing = new Map((await backend.list()).map((each) => [each.instanceId, each]));
  const ids = new Set([...existing.keys(), ...(await claims.list())]);
  await eachOf(ids, (instanceId) => takeOver(dependencies, instanceId, existing.get(instanceId)));
}

/**
 * Holds what the backend has against what is known here: what vanished is reported, and what nobody knows is taken over, as what
 * executors left that are gone, or destroyed.
 */
export async function reconcile(dependencies: Dependencies): Promise<void> {
  const { backend, instances, sandboxes, quarantine, reportInheritance } = dependencies;
  const estates = await backend.inherit();
  // Known before or after the listing is known: instances come and go while the backend answers.
  const before = instances.known();
  const existing = await backend.list();
  const known = before.union(instances.known());
  const running = new Set(existing.filter(({ running }) => running).map(({ instanceId }) => instanceId));
  const vanished = before.intersection(instances.known()).difference(running);
  const unknown = existing.filter(({ instanceId }) => !known.has(instanceId));
  await eachOf(vanished, (instanceId) => instanceEnded(dependencies, instanceId, 'EXITED'));
  const take = (each: Existing) => takeOver(dependencies, each.instanceId, each);
  // First: callers wait to hear where it is, and what is nobody's may take its time to end.
  await eachOf(
    unknown.filter(({ note }) => note),
    take,
  );
  for (const estate of estates) {
    const held = sandboxes.list().map(({ sandboxId }) => sandboxId);
    await reportInheritance(estate, [...held, ...quarantine.sandboxIds()]);
    await estate.settled();
  }
  await eachOf(
    unknown.filter(({ note }) => !note),
    take,
  );
  const gone = new Set(quarantine.ids()).difference(new Set(existing.map(({ instanceId }) => instanceId)));
  await eachOf(gone, (instanceId) => takeOver(dependencies, instanceId, undefined));
}

/**
 * Takes over an instance that is nobody's here, where it is somebody's by a confirmed claim; else it goes. Where that cannot be
 * told or done now, it is left as it is.
 */
async function takeOver(dependencies: Dependencies, instanceId: string, existing: Existing | undefined): Promise<void> {
  const { claims, quarantine } = dependencies;
  let claim: Claim | undefined;
  try {
    const kept = await readKept(dependencies, instanceId, existing?.note);
    claim = kept ?? (existing?.note ? parseClaim(existing.note) : undefined);
    if (existing?.running && claim?.confirmed) await adopt(dependencies, instanceId, claim);
    else {
      if (claim && !kept) await claims.write(instanceId, claim);
      await end(dependencies, instanceId, claim);
    }
    quarantine.release(instanceId);
  } catch (error) {
    quarantine.keep(instanceId, error, claim?.sandboxId);
  }
}

/** The claim as it is kept here. It is another executor's, or was lost, where there is only a note of it. */
function readKept({ claims, log }: Dependencies, instanceId: string, note: string | undefined) {
  return claims.read(instanceId).catch((error) => {
    if (!note) throw error;
    log.warn({ err: error, instanceId }, 'claim cannot be read; the note of it counts');
  });
}

async function adopt(dependencies: Dependencies, instanceId: string, claim: Claim): Promise<void> {
  const { instances, sandboxes, catalog, log } = dependencies;
  const { sandboxId, template: name, limits, expireTime } = claim;
  try {
    const template = catalog.templates.get(name);
    if (!template) throw new Error(`the catalogue has no template '${name}' any more`);
    await sandboxes.adopt(await instances.adopt(instanceId, template, limits), claim);
    log.info({ sandboxId, instanceId }, 'sandbox taken over');
  } catch (error) {
    if (Date.now() < expireTime) throw error;
    await end(dependencies, instanceId, claim);
  }
}

async function end({ instances, claims, report, log }: Dependencies, instanceId: string, claim: Claim | undefined) {
  if (!claim) log.warn({ instanceId }, 'unknown instance destroyed');
  try {
    await instances.destroyUnknown(instanceId);
  } catch (error) {
    log.warn({ err: error, instanceId }, 'unknown instance not destroyed yet');
    return;
  }
  // The claim goes last: until then this is done again, also after a crash.
  if (claim) report(claim, 'EXITED');
  await claims.remove(instanceId);
}

/** What follows when another executor has taken an instance over: it is let go of as it is. */
export async function instanceTakenOver(
  {
    pool,
    instances,
    sandboxes,
    quarantine,
    log,
  }: Pick<Dependencies, 'pool' | 'instances' | 'sandboxes' | 'quarantine' | 'log'>,
  instanceId: string,
): Promise<void> {
  log.warn({ instanceId }, 'another executor has taken a sandbox over');
  quarantine.release(instanceId);
  const warm = pool().drop(instanceId);
  if (warm) await instances.release(warm);
  else await sandboxes.takenOver(instanceId);
}

/** What follows when an instance ends by itself, warm, leased or claimed. */
export async function instanceEnded(
  { pool, instances, sandboxes, leases, report, log }: Dependencies,
  instanceId: string,
  reason: EndedReason,
): Promise<void> {
  const warm = pool().drop(instanceId);
  if (warm) {
    log.warn({ instanceId, reason }, 'warm sandbox ended');
    await instances.abandon(warm);
    return;
  }
  if (await leases.instanceEnded(instanceId, reason)) {
    log.info({ instanceId, reason }, 'leased sandbox ended');
    return;
  }
  const sandbox = await sandboxes.instanceEnded(instanceId, reason);
  if (!sandbox) return;
  log.info({ sandboxId: sandbox.sandboxId, instanceId, reason }, 'sandbox ended by itself');
  report(sandbox, reason);
}

/** Ends sandboxes whose time is over or whose claim nobody confirmed, also while the rest of the platform is away. */
export async function enforceDeadlines({
  sandboxes,
  report,
  log,
}: Pick<Dependencies, 'sandboxes' | 'report' | 'log'>): Promise<void> {
  await eachOf(sandboxes.overdue(Date.now()), async (sandbox) => {
    const { sandboxId, confirmed } = sandbox;
    log.info({ sandboxId, confirmed }, 'overdue sandbox destroyed');
    await sandboxes.destroy(sandboxId);
    // On record it may run, where the news of that is what did not come.
    if (!confirmed) report(sandbox, 'EXITED');
  });
}
