import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import type { Logger } from '#libs/log.ts';
import { gauge } from '#libs/telemetry.ts';
import type { OwnWarm } from '#proto/drydock/internal/v1/events.ts';
import type { Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Capacity } from './capacity.ts';
import type { Instance, Instances } from './instances.ts';
import { type Refill, startRefill } from './refill.ts';
import { createWarmSet, takeFrom, type WarmSet } from './warm-set.ts';

export type Pool = {
  /** Fills the warm sets until `draining` is aborted. Disposing destroys every warm instance. */
  start(draining: AbortSignal): AsyncDisposable;
  /** A warm instance of a template that the organisation may have, if there is one. */
  take(template: string, purpose: Purpose, tenant: Tenant): Instance | undefined;
  /** Takes back an instance for sandboxes that is as it was created, and that no sandbox has used. */
  giveBack(instance: Instance, tenant: Tenant): void;
  /** Warm counts by template: shared instances, or those reserved for one organisation each. */
  sizes(purpose: Purpose, kind?: 'shared' | 'own'): Map<string, number>;
  /** Warm counts of sandboxes by template, for each organisation that has some reserved. */
  ownWarm(): OwnWarm[];
  /** Removes an instance that ended or was taken over; answers it if it was warm. */
  drop(instanceId: string): Instance | undefined;
  /** Destroys the warm instances reserved for an organisation. */
  forget(organizationId: string): Promise<void>;
};

/** The most shared warm instances of all templates. Those that are reserved are within the executor's capacity. */
export function mostWarm(catalog: Catalog): number {
  return [...catalog.templates.values()].reduce((sum, { pool }) => sum + pool.ceiling + (pool.cells?.ceiling ?? 0), 0);
}

export type PoolDependencies = { catalog: Catalog; instances: Instances; capacity: Capacity; log: Logger };

/**
 * Warm instances by template and purpose, shared or reserved for an organisation without a shared pool that made a claim lately.
 * Each serves one sandbox, or the cells of one organisation.
 */
export function createPool(dependencies: PoolDependencies): Pool {
  const { catalog, instances } = dependencies;
  const warmSets = new Set<WarmSet>();
  for (const template of catalog.templates.values())
    for (const purpose of ['sandbox', 'cells'] as const) warmSets.add(createWarmSet(template, purpose, null));
  const sizes: Pool['sizes'] = (purpose, kind = 'shared') => {
    const counts = new Map([...catalog.templates.keys()].map((id) => [id, 0]));
    for (const set of warmSets)
      if (set.purpose === purpose && (kind === 'own') === (set.tenant !== null))
        counts.set(set.template.id, (counts.get(set.template.id) ?? 0) + set.warm.length);
    return counts;
  };
  let refill: Refill | undefined;
  return {
    start(draining) {
      measure(sizes);
      const running = startRefill({ ...dependencies, warmSets, draining });
      refill = running;
      return {
        async [Symbol.asyncDispose]() {
          refill = undefined;
          await running[Symbol.asyncDispose]();
          await abandonAll(instances, [...warmSets]);
        },
      };
    },
    take(id, purpose, tenant) {
      const template = catalog.templates.get(id);
      if (!template) return undefined;
      const set = setOf(warmSets, template, purpose, tenant);
      const instance = takeFrom(set, Date.now());
      refill?.request(set);
      return instance;
    },
    giveBack: (instance, tenant) => void setOf(warmSets, instance.template, 'sandbox', tenant).warm.unshift(instance),
    sizes,
    ownWarm: () => ownWarmOf(warmSets),
    drop(instanceId) {
      for (const { warm } of warmSets) {
        const index = warm.findIndex(({ id }) => id === instanceId);
        if (index >= 0) return warm.splice(index, 1)[0];
      }
      return undefined;
    },
    async forget(organizationId) {
      const own = [...warmSets].filter(({ tenant }) => tenant?.organizationId === organizationId);
      for (const set of own) warmSets.delete(set);
      await abandonAll(instances, own);
    },
  };
}

/** The set from which an organisation takes, with its quota as of now; created if there is none. */
function setOf(warmSets: Set<WarmSet>, template: Template, purpose: Purpose, tenant: Tenant): WarmSet {
  const owner = tenant.sharedPool ? null : tenant;
  const found = [...warmSets].find(
    (set) =>
      set.template.id === template.id &&
      set.purpose === purpose &&
      set.tenant?.organizationId === owner?.organizationId,
  );
  const set = found ?? createWarmSet(template, purpose, owner);
  set.tenant = owner;
  warmSets.add(set);
  return set;
}

function ownWarmOf(warmSets: Set<WarmSet>): OwnWarm[] {
  const own = [...warmSets].filter(({ purpose, warm }) => purpose === 'sandbox' && warm.length > 0);
  const byOwner = Map.groupBy(own, ({ tenant }) => tenant?.organizationId);
  byOwner.delete(undefined);
  return [...byOwner].map(([organizationId = '', sets]) => ({
    organizationId,
    warm: Object.fromEntries(sets.map(({ template, warm }) => [template.id, warm.length])),
  }));
}

async function abandonAll(instances: Instances, sets: WarmSet[]): Promise<void> {
  await Promise.all(sets.flatMap(({ warm }) => warm.splice(0)).map(instances.abandon));
}

function measure(sizes: Pool['sizes']): void {
  gauge('executor_warm_sandboxes', 'Warm sandboxes that any organisation may claim.', ['template'], (set) => {
    for (const [template, size] of sizes('sandbox')) set({ template }, size);
  });
  gauge('executor_own_warm_sandboxes', 'Warm sandboxes reserved for one organisation each.', ['template'], (set) => {
    for (const [template, size] of sizes('sandbox', 'own')) set({ template }, size);
  });
  gauge('executor_warm_cell_hosts', 'Warm sandboxes that wait to host cells.', ['template'], (set) => {
    for (const [template, size] of sizes('cells')) set({ template }, size);
  });
}
