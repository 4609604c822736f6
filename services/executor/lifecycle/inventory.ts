import { LRUCache } from 'lru-cache';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { every, pause } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { gauge } from '#libs/telemetry.ts';
import type { Backend, EndedReason } from '../backends/backend.ts';
import { type Claim, parseClaim } from '../backends/claim.ts';
import { eachOf } from '../backends/each-of.ts';
import type { CellHosts } from '../executions/cell-hosts.ts';
import type { Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import type { Claims } from '../sandboxes/claims.ts';
import type { Quarantine } from '../sandboxes/quarantine.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';
import type { Reporter } from './reporter.ts';

const RECONCILE_INTERVAL_MS = 30_000;
const DEADLINE_INTERVAL_MS = 1_000;
// A pod may take 30 s to be deleted, for which neither a start nor other instances wait.
const END_WAIT_MS = 2_000;
const MAX_RELEASED = 10_000;

export type Dependencies = {
  backend: Backend;
  instances: Instances;
  sandboxes: Sandboxes;
  cellHosts: CellHosts;
  claims: Claims;
  quarantine: Quarantine;
  catalog: Catalog;
  pool: Pool;
  reporter: Reporter;
  log: Logger;
};

/** Keeps this executor's sandboxes, warm instances and cell hosts in step with the instances of the backend. */
export type Inventory = {
  /**
   * Restores the sandboxes of the earlier process: those with a confirmed claim run on; the others, and those whose instance has
   * ended, are reported. Instances without a claim, cell hosts among them, are destroyed. Throws if claims cannot be listed.
   */
  adopt(): Promise<void>;
  /**
   * Compares the instances of the backend with those of this process: reports those that vanished, and adopts or destroys unknown
   * ones, among them those of executors that were lost.
   */
  reconcile(): Promise<void>;
  /** Reconciles every 30 s and whenever the backend asks for it, follows the backend's events, and enforces deadlines. */
  start(): AsyncDisposable;
};

type State = Dependencies & {
  /** Unknown instances that are being destroyed. */
  ending: Map<string, Promise<void>>;
  /** Sandboxes by instance, of those that another executor has lately taken over. */
  released: LRUCache<string, Pick<Claim, 'sandboxId' | 'organizationId'>>;
};

export function createInventory(dependencies: Dependencies): Inventory {
  const state: State = { ...dependencies, ending: new Map(), released: new LRUCache({ max: MAX_RELEASED }) };
  return {
    adopt: () => adoptAll(state),
    reconcile: () => reconcile(state),
    start() {
      const { quarantine, log } = state;
      gauge('executor_quarantined_sandboxes', 'Sandboxes that cannot be adopted yet; the log says why.', [], (set) =>
        set({}, quarantine.ids().length),
      );
      const parts = new AsyncDisposableStack();
      const reconciliation = parts.use(every(RECONCILE_INTERVAL_MS, log, () => reconcile(state)));
      parts.use(watch(state, reconciliation.trigger));
      parts.use(every(DEADLINE_INTERVAL_MS, log, () => enforceDeadlines(state)));
      return parts;
    },
  };
}

type Existing = Awaited<ReturnType<Backend['list']>>[number];

async function adoptAll(state: State): Promise<void> {
  const { backend, claims } = state;
  const existing = new Map((await backend.list()).map((each) => [each.instanceId, each]));
  const ids = new Set([...existing.keys(), ...(await claims.list())]);
  await eachOf(ids, (instanceId) => settle(state, instanceId, existing.get(instanceId)));
}

async function reconcile(state: State): Promise<void> {
  const { backend, instances, sandboxes, quarantine, reporter } = state;
  const takeovers = (await backend.cluster?.takeOver()) ?? [];
  // Instances are created and destroyed while the backend answers, so an id known before or after the listing is known.
  const before = instances.known();
  const existing = await backend.list();
  const known = before.union(instances.known());
  const running = new Set(existing.filter(({ running }) => running).map(({ instanceId }) => instanceId));
  const vanished = before.intersection(instances.known()).difference(running);
  const unknown = existing.filter(({ instanceId }) => !known.has(instanceId));
  await eachOf(vanished, (instanceId) => instanceEnded(state, instanceId, 'EXITED'));
  const take = (each: Existing) => settle(state, each.instanceId, each);
  // Sandboxes first: callers wait to learn where theirs runs, while instances without a claim may take long to destroy.
  await eachOf(
    unknown.filter(({ note }) => note),
    take,
  );
  for (const takeover of takeovers) {
    const held = sandboxes.list().map(({ sandboxId }) => sandboxId);
    await reporter.reportTakeover(takeover, [...held, ...quarantine.sandboxIds()]);
    await takeover.settled();
  }
  await eachOf(
    unknown.filter(({ note }) => !note),
    take,
  );
  const ended = new Set(quarantine.ids()).difference(new Set(existing.map(({ instanceId }) => instanceId)));
  await eachOf(ended, (instanceId) => settle(state, instanceId, undefined));
}

/**
 * Adopts an unknown instance that has a confirmed claim; destroys any other. If neither is possible now, or the claim cannot be
 * read, the instance is quarantined.
 */
async function settle(state: State, instanceId: string, existing: Existing | undefined): Promise<void> {
  const { claims, quarantine } = state;
  let claim: Claim | undefined;
  try {
    const kept = await readKept(state, instanceId, existing?.note);
    claim = kept ?? (existing?.note ? parseClaim(existing.note) : undefined);
    if (existing?.running && claim?.confirmed) {
      await adopt(state, instanceId, claim);
      return quarantine.release(instanceId);
    }
    if (claim && !kept) await claims.write(instanceId, claim);
  } catch (error) {
    return quarantine.keep(instanceId, error, { claim, exists: existing !== undefined });
  }
  await end(state, instanceId, claim);
}

/** The claim in this executor's files. There is none if the file was lost, or the claim was another executor's. */
function readKept({ claims, log }: Dependencies, instanceId: string, note: string | undefined) {
  return claims.read(instanceId).catch((error) => {
    if (!note) throw error;
    log.warn({ err: error, instanceId }, 'claim cannot be read; using the copy on its instance');
    return undefined;
  });
}

async function adopt(state: State, instanceId: string, claim: Claim): Promise<void> {
  const { instances, sandboxes, catalog, log } = state;
  const { sandboxId, template: name, limits, expireTime } = claim;
  try {
    const template = catalog.templates.get(name);
    if (!template) throw new Error(`the catalogue no longer has the template '${name}'`);
    await sandboxes.adopt(await instances.adopt(instanceId, template, limits), claim);
    log.info({ sandboxId, instanceId }, 'sandbox adopted');
  } catch (error) {
    if (Date.now() < expireTime) throw error;
    await end(state, instanceId, claim);
  }
}

/** Destroys an instance that cannot be adopted, and reports its sandbox. Waits 2 s at most. */
async function end(state: State, instanceId: string, claim: Claim | undefined): Promise<void> {
  const { ending, quarantine } = state;
  let over = ending.get(instanceId);
  if (!over) {
    over = endOnce(state, instanceId, claim)
      .catch((error) => quarantine.keep(instanceId, error, { claim, exists: false }))
      .finally(() => ending.delete(instanceId));
    ending.set(instanceId, over);
  }
  const waited = new AbortController();
  await Promise.race([over, pause(END_WAIT_MS, waited.signal)]);
  waited.abort();
}

async function endOnce(
  { instances, sandboxes, claims, quarantine, reporter, log }: State,
  instanceId: string,
  claim: Claim | undefined,
): Promise<void> {
  if (!claim) log.warn({ instanceId }, 'destroying an unknown instance');
  try {
    await instances.destroyUnknown(instanceId);
  } catch (error) {
    log.warn({ err: error, instanceId }, 'failed to destroy an unknown instance; trying again later');
    return;
  }
  // Not before: until it is destroyed it takes its capacity.
  quarantine.release(instanceId);
  // Its sandbox may have been claimed anew meanwhile. The claim is removed last, so that all of this is repeated after a crash.
  const isHeld = sandboxes.list().some(({ sandboxId }) => sandboxId === claim?.sandboxId);
  if (claim && !isHeld) reporter.report(claim, 'EXITED');
  await claims.remove(instanceId);
}

function watch(state: State, reconcileSoon: () => void): AsyncDisposable {
  const { backend, log } = state;
  return backend.watch({
    ended(instanceId, reason) {
      instanceEnded(state, instanceId, reason).catch((error) =>
        log.error({ err: error, instanceId }, 'failed to handle the end of an instance'),
      );
    },
    takenOver(instanceId) {
      instanceTakenOver(state, instanceId).catch((error) =>
        log.error({ err: error, instanceId }, 'failed to release an instance taken over by another executor'),
      );
    },
    changed: reconcileSoon,
  });
}

/** Releases an instance that another executor has taken over, and leaves it running. */
async function instanceTakenOver(
  { pool, instances, sandboxes, quarantine, released, log }: State,
  instanceId: string,
): Promise<void> {
  log.warn({ instanceId }, 'another executor has taken a sandbox over');
  quarantine.release(instanceId);
  const warm = pool.drop(instanceId);
  if (warm) await instances.release(warm);
  else {
    const sandbox = sandboxes.list().find(({ instance }) => instance.id === instanceId);
    if (sandbox) released.set(instanceId, { sandboxId: sandbox.sandboxId, organizationId: sandbox.organizationId });
    await sandboxes.takenOver(instanceId);
  }
}

/** Removes a warm instance, a cell host or a sandbox that ended by itself; the end of a sandbox is reported. */
async function instanceEnded(
  { pool, instances, sandboxes, cellHosts, released, reporter, log }: State,
  instanceId: string,
  reason: EndedReason,
): Promise<void> {
  const warm = pool.drop(instanceId);
  if (warm) {
    log.warn({ instanceId, reason }, 'warm sandbox ended');
    await instances.abandon(warm);
    return;
  }
  if (await cellHosts.instanceEnded(instanceId, reason)) {
    log.info({ instanceId, reason }, 'cell host ended');
    return;
  }
  // The new owner of one that was released found no claim on it, and so cannot report it.
  const sandbox = (await sandboxes.instanceEnded(instanceId, reason)) ?? released.get(instanceId);
  if (!sandbox) return;
  released.delete(instanceId);
  log.info({ sandboxId: sandbox.sandboxId, instanceId, reason }, 'sandbox ended by itself');
  reporter.report(sandbox, reason);
}

/** Destroys sandboxes that are overdue. Works without the other services. */
async function enforceDeadlines({ sandboxes, reporter, log }: Dependencies): Promise<void> {
  await eachOf(sandboxes.overdue(Date.now()), async (sandbox) => {
    const { sandboxId, confirmed } = sandbox;
    log.info({ sandboxId, confirmed }, 'overdue sandbox destroyed');
    await sandboxes.destroy(sandboxId);
    // Session may have recorded it as running, and the message that confirms it was lost.
    if (!confirmed) reporter.report(sandbox, 'EXITED');
  });
}
