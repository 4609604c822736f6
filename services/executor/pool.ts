import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Instance, Instances } from './instances.ts';

const REFILL_INTERVAL_MS = 1_000;
const REFILL_WORKERS = 2;
const PAUSE_AFTER_FAILURE_MS = 2_000;
// Demand is claims per second over this time, and the pool covers this much of it ahead.
const DEMAND_WINDOW_MS = 10_000;
const COVERED_MS = 1_000;

export type Pool = AsyncDisposable & {
  /** A warm instance of a template, if there is one. It never comes back. */
  take(template: string): Instance | undefined;
  /** Warm instances by template. */
  sizes(): Map<string, number>;
  /** An instance ended while it waited. */
  drop(instanceId: string): Instance | undefined;
};

/**
 * Keeps warm instances per template between its floor and its ceiling, as many as lately were claimed in a second. Each
 * serves one sandbox once. `hasRoom` says whether another one may be made at all.
 */
export function createPool(dependencies: {
  catalog: Catalog;
  instances: Instances;
  hasRoom: (template: Template) => boolean;
  /** Somebody waits for an instance that is being made, so the engine is theirs. */
  isBusy: () => boolean;
  log: Logger;
}): Pool {
  const { catalog, instances, hasRoom, isBusy, log } = dependencies;
  const warm = new Map<string, Instance[]>([...catalog.templates.keys()].map((id) => [id, []]));
  const creating = new Map<string, number>();
  const claims = new Map<string, number[]>();
  const failedAt = new Map<string, number>();

  const targetOf = ({ id, pool }: Template): number => {
    const since = Date.now() - DEMAND_WINDOW_MS;
    const recent = (claims.get(id) ?? []).filter((at) => at > since);
    claims.set(id, recent);
    const demand = Math.ceil((recent.length / DEMAND_WINDOW_MS) * COVERED_MS);
    return Math.min(pool.ceiling, pool.floor + demand);
  };
  const missing = (template: Template): number =>
    targetOf(template) - (warm.get(template.id)?.length ?? 0) - (creating.get(template.id) ?? 0);
  const next = (): Template | undefined => {
    if (isBusy()) return undefined;
    return [...catalog.templates.values()]
      .filter((template) => missing(template) > 0 && hasRoom(template))
      .filter(({ id }) => Date.now() - (failedAt.get(id) ?? 0) > PAUSE_AFTER_FAILURE_MS)
      .sort((a, b) => missing(b) - missing(a))[0];
  };

  const makeOne = async (template: Template, signal: AbortSignal): Promise<void> => {
    creating.set(template.id, (creating.get(template.id) ?? 0) + 1);
    try {
      const instance = await instances.create(template, template.limits, signal);
      if (signal.aborted) await instances.destroy(instance);
      else warm.get(template.id)?.push(instance);
    } catch (error) {
      failedAt.set(template.id, Date.now());
      if (!signal.aborted) log.error({ err: error, template: template.id }, 'warm sandbox not made');
    } finally {
      creating.set(template.id, (creating.get(template.id) ?? 1) - 1);
    }
  };

  /** Demand has gone: one at a time, so that a short pause costs little. */
  const shrink = async (): Promise<void> => {
    for (const template of catalog.templates.values()) {
      const list = warm.get(template.id);
      const surplus = missing(template) < 0 ? list?.shift() : undefined;
      if (surplus) await instances.destroy(surplus);
    }
  };

  const refill = every(REFILL_INTERVAL_MS, log, async (signal) => {
    const worker = async () => {
      for (let template = next(); template && !signal.aborted; template = next()) await makeOne(template, signal);
    };
    await Promise.all(Array.from({ length: REFILL_WORKERS }, worker));
    await shrink();
  });

  return {
    take(template) {
      claims.get(template)?.push(Date.now());
      const instance = warm.get(template)?.shift();
      refill.trigger();
      return instance;
    },
    sizes: () => new Map([...warm].map(([id, { length }]) => [id, length])),
    drop(instanceId) {
      for (const list of warm.values()) {
        const index = list.findIndex(({ id }) => id === instanceId);
        if (index >= 0) return list.splice(index, 1)[0];
      }
      return undefined;
    },
    async [Symbol.asyncDispose]() {
      await refill[Symbol.asyncDispose]();
      const all = [...warm.values()].flat();
      warm.clear();
      await Promise.all(all.map((instance) => instances.destroy(instance)));
    },
  };
}
