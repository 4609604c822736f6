import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { hasReason } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Purpose } from './backend.ts';
import type { Instance, Instances } from './instances.ts';

const REFILL_INTERVAL_MS = 1_000;
const REFILL_WORKERS = 2;
// Making one keeps every core busy; whoever took the last one is served first while there are others.
const REFILL_LATER_MS = 50;
const PAUSE_AFTER_FAILURE_MS = 2_000;
// Demand is claims per second over this time, and the pool covers at least this much of it ahead.
const DEMAND_WINDOW_MS = 10_000;
const COVERED_MS = 1_000;
// How far the last time that one took to make counts for the next.
const LATEST_SHARE = 0.3;

export type Pool = AsyncDisposable & {
  /** A warm instance of a template, if there is one. It never comes back. */
  take(template: string, purpose: Purpose): Instance | undefined;
  /** Warm instances by template. */
  sizes(purpose: Purpose): Map<string, number>;
  /** An instance ended while it waited. */
  drop(instanceId: string): Instance | undefined;
};

/** The warm instances of one template for one purpose. */
type Stock = {
  readonly template: Template;
  readonly purpose: Purpose;
  readonly floor: number;
  readonly ceiling: number;
  readonly warm: Instance[];
  creating: number;
  /** When one was asked for lately. */
  claims: number[];
  /** How long one takes to make, lately. */
  makingMs: number;
  failedAt: number;
};

/**
 * Keeps warm instances per template and purpose between floor and ceiling, as many as lately were claimed in the time that
 * it takes to make one, or in a second where that is less. Each serves one sandbox, or the cells of one organisation, and nobody else. `hasRoom` says whether another one may be made.
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
  const stocks = [...catalog.templates.values()].flatMap((template) => [
    stockOf(template, 'sandbox', template.pool),
    stockOf(template, 'cells', template.pool.cells ?? { floor: 0, ceiling: 0 }),
  ]);
  const find = (template: string, purpose: Purpose) =>
    stocks.find((stock) => stock.template.id === template && stock.purpose === purpose);

  const targetOf = (stock: Stock): number => {
    if (stock.purpose === 'cells' && instances.hasCells(stock.template.id) === false) return 0;
    const since = Date.now() - DEMAND_WINDOW_MS;
    stock.claims = stock.claims.filter((at) => at > since);
    const demand = Math.ceil((stock.claims.length / DEMAND_WINDOW_MS) * Math.max(COVERED_MS, stock.makingMs));
    return Math.min(stock.ceiling, stock.floor + demand);
  };
  const missing = (stock: Stock): number => targetOf(stock) - stock.warm.length - stock.creating;
  const next = (): Stock | undefined => {
    if (isBusy()) return undefined;
    return stocks
      .filter((stock) => missing(stock) > 0 && hasRoom(stock.template))
      .filter(({ failedAt }) => Date.now() - failedAt > PAUSE_AFTER_FAILURE_MS)
      .sort((a, b) => missing(b) - missing(a))[0];
  };

  const makeOne = async (stock: Stock, signal: AbortSignal): Promise<void> => {
    const { template, purpose } = stock;
    stock.creating++;
    const started = performance.now();
    try {
      const instance = await instances.create(template, template.limits, purpose, signal);
      const took = performance.now() - started;
      stock.makingMs += (took - stock.makingMs) * (stock.makingMs ? LATEST_SHARE : 1);
      if (signal.aborted) await instances.destroy(instance);
      else stock.warm.push(instance);
    } catch (error) {
      stock.failedAt = Date.now();
      if (!signal.aborted && !hasReason(error, 'NOT_IMPLEMENTED'))
        log.error({ err: error, template: template.id, purpose }, 'warm sandbox not made');
    } finally {
      stock.creating--;
    }
  };

  /** Demand has gone: one at a time, so that a short pause costs little. */
  const shrink = async (): Promise<void> => {
    for (const stock of stocks) {
      const surplus = missing(stock) < 0 ? stock.warm.shift() : undefined;
      if (surplus) await instances.destroy(surplus);
    }
  };

  const refill = every(REFILL_INTERVAL_MS, log, async (signal) => {
    const worker = async () => {
      for (let stock = next(); stock && !signal.aborted; stock = next()) await makeOne(stock, signal);
    };
    await Promise.all(Array.from({ length: REFILL_WORKERS }, worker));
    await shrink();
  });

  let later: NodeJS.Timeout | undefined;
  const refillNow = () => {
    clearTimeout(later);
    later = undefined;
    refill.trigger();
  };

  return {
    take(template, purpose) {
      const stock = find(template, purpose);
      stock?.claims.push(Date.now());
      const instance = stock?.warm.shift();
      if (stock?.warm.length) later ??= setTimeout(refillNow, REFILL_LATER_MS);
      else refillNow();
      return instance;
    },
    sizes: (purpose) =>
      new Map(
        stocks.filter((stock) => stock.purpose === purpose).map(({ template, warm }) => [template.id, warm.length]),
      ),
    drop(instanceId) {
      for (const { warm } of stocks) {
        const index = warm.findIndex(({ id }) => id === instanceId);
        if (index >= 0) return warm.splice(index, 1)[0];
      }
      return undefined;
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(later);
      await refill[Symbol.asyncDispose]();
      const all = stocks.flatMap(({ warm }) => warm.splice(0));
      await Promise.all(all.map((instance) => instances.destroy(instance)));
    },
  };
}

function stockOf(template: Template, purpose: Purpose, { floor, ceiling }: { floor: number; ceiling: number }): Stock {
  return { template, purpose, floor, ceiling, warm: [], creating: 0, claims: [], makingMs: 0, failedAt: 0 };
}
