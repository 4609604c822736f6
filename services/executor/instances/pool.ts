import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { hasReason } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { OwnWarm } from '#proto/drydock/internal/v1/events.ts';
import type { Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Instance, Instances } from './instances.ts';
import { createStock, isIdle, type Stock, takeFrom, targetOf, tookMs } from './stock.ts';

const REFILL_INTERVAL_MS = 1_000;
const REFILL_WORKERS = 2;
// Making one keeps every core busy; whoever took the last one is served first while there are others.
const REFILL_LATER_MS = 50;
const PAUSE_AFTER_FAILURE_MS = 2_000;

export type Pool = AsyncDisposable & {
  /** A warm instance of a template that the organisation may have, if there is one. */
  take(template: string, purpose: Purpose, tenant: Tenant): Instance | undefined;
  /** Takes one back for sandboxes that has stayed as it was made, and that nobody had. */
  giveBack(instance: Instance, tenant: Tenant): void;
  /** Warm instances by template: those for whoever comes, or those for one organisation each. */
  sizes(purpose: Purpose, kind?: 'shared' | 'own'): Map<string, number>;
  /** Warm instances for sandboxes that wait for one organisation each, by template. */
  ownWarm(): OwnWarm[];
  /** An instance ended while it waited. */
  drop(instanceId: string): Instance | undefined;
  /** Ends what waits for an organisation. */
  forget(organizationId: string): Promise<void>;
};

/**
 * Keeps warm instances per template and purpose, for whoever comes and for each organisation that lately came and has its own.
 * Each serves one sandbox, or the cells of one organisation, and nobody else. `hasRoom` says whether another one may be made
 * beside some, of so much memory each, that have no room of their own.
 */
export function createPool(dependencies: {
  catalog: Catalog;
  instances: Instances;
  hasRoom: (template: Template, besides: number[]) => boolean;
  /** Somebody waits for an instance that is being made, so the engine is theirs. */
  isBusy: () => boolean;
  log: Logger;
}): Pool {
  const { catalog, instances, hasRoom, isBusy, log } = dependencies;
  const stocks = new Set<Stock>();
  const find = (template: string, purpose: Purpose, tenant: Tenant | null) =>
    [...stocks].find(
      (stock) =>
        stock.template.id === template &&
        stock.purpose === purpose &&
        stock.tenant?.organizationId === tenant?.organizationId,
    );
  const open = (template: Template, purpose: Purpose, tenant: Tenant | null): Stock => {
    const stock = createStock(template, purpose, tenant);
    stocks.add(stock);
    return stock;
  };
  for (const template of catalog.templates.values()) {
    open(template, 'sandbox', null);
    open(template, 'cells', null);
  }

  const missing = (stock: Stock): number => {
    const isVain = stock.purpose === 'cells' && instances.hasCells(stock.template.id) === false;
    return (isVain ? 0 : targetOf(stock, Date.now())) - stock.warm.length - stock.creating;
  };
  /** Memory of each that waits for its organisation. The shared ones are bounded by the catalogue, these by nothing else. */
  const waiting = (): number[] =>
    [...stocks]
      .filter(({ tenant }) => tenant !== null)
      .flatMap(({ template, warm, creating }) => Array(warm.length + creating).fill(template.limits.memoryBytes));
  const next = (): Stock | undefined => {
    if (isBusy()) return undefined;
    const besides = waiting();
    return [...stocks]
      .filter((stock) => missing(stock) > 0 && hasRoom(stock.template, stock.tenant ? besides : []))
      .filter(({ failedAt }) => Date.now() - failedAt > PAUSE_AFTER_FAILURE_MS)
      .sort((a, b) => missing(b) - missing(a))[0];
  };

  const makeOne = async (stock: Stock, signal: AbortSignal): Promise<void> => {
    const { template, purpose, tenant } = stock;
    stock.creating++;
    const started = performance.now();
    try {
      const instance = await instances.create({ template, limits: template.limits, purpose, tenant }, signal);
      tookMs(stock, performance.now() - started);
      if (signal.aborted || !stocks.has(stock)) await instances.abandon(instance);
      else stock.warm.push(instance);
    } catch (error) {
      stock.failedAt = Date.now();
      if (signal.aborted || hasReason(error, 'NOT_IMPLEMENTED')) return;
      const context = { template: template.id, purpose };
      // Expected while an image is being built; the message and its cause say all.
      if (hasReason(error, 'SANDBOX_START_FAILED'))
        log.warn({ ...context, reason: reasonOf(error) }, 'warm sandbox not made');
      else log.error({ err: error, ...context }, 'warm sandbox not made');
    } finally {
      stock.creating--;
    }
  };

  /** Demand has gone: one at a time, so that a short pause costs little. */
  const shrink = async (): Promise<void> => {
    for (const stock of stocks) {
      const surplus = missing(stock) < 0 ? stock.warm.shift() : undefined;
      if (surplus) await instances.abandon(surplus);
      else if (isIdle(stock, Date.now())) stocks.delete(stock);
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
    take(id, purpose, tenant) {
      const template = catalog.templates.get(id);
      if (!template) return undefined;
      const owner = tenant.sharedPool ? null : tenant;
      const stock = find(id, purpose, owner) ?? open(template, purpose, owner);
      stock.tenant = owner;
      const instance = takeFrom(stock, Date.now());
      if (stock.warm.length) later ??= setTimeout(refillNow, REFILL_LATER_MS);
      else refillNow();
      return instance;
    },
    giveBack(instance, tenant) {
      const owner = tenant.sharedPool ? null : tenant;
      const stock = find(instance.template.id, 'sandbox', owner) ?? open(instance.template, 'sandbox', owner);
      stock.warm.unshift(instance);
    },
    sizes(purpose, kind = 'shared') {
      const sizes = new Map([...catalog.templates.keys()].map((id) => [id, 0]));
      for (const { template, warm, tenant, purpose: is } of stocks)
        if (is === purpose && (kind === 'own') === (tenant !== null))
          sizes.set(template.id, (sizes.get(template.id) ?? 0) + warm.length);
      return sizes;
    },
    ownWarm() {
      const own = [...stocks].filter(({ purpose, warm }) => purpose === 'sandbox' && warm.length > 0);
      const byOwner = Map.groupBy(own, ({ tenant }) => tenant?.organizationId);
      byOwner.delete(undefined);
      return [...byOwner].map(([organizationId = '', held]) => ({
        organizationId,
        warm: Object.fromEntries(held.map(({ template, warm }) => [template.id, warm.length])),
      }));
    },
    drop(instanceId) {
      for (const { warm } of stocks) {
        const index = warm.findIndex(({ id }) => id === instanceId);
        if (index >= 0) return warm.splice(index, 1)[0];
      }
      return undefined;
    },
    async forget(organizationId) {
      const own = [...stocks].filter(({ tenant }) => tenant?.organizationId === organizationId);
      for (const stock of own) stocks.delete(stock);
      await Promise.all(own.flatMap(({ warm }) => warm.splice(0)).map(instances.abandon));
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(later);
      await refill[Symbol.asyncDispose]();
      const all = [...stocks].flatMap(({ warm }) => warm.splice(0));
      await Promise.all(all.map(instances.abandon));
    },
  };
}

function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
