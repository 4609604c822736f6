import type { Template } from '#libs/catalog/catalog.ts';
import type { Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Instance } from './instances.ts';

// Demand is claims per second over this time, and a stock covers at least this much of it ahead.
const DEMAND_WINDOW_MS = 10_000;
const COVERED_MS = 1_000;
// How far the last time that one took to make counts for the next.
const LATEST_SHARE = 0.3;
// An organisation that came within this time finds one of its own warm.
const ACTIVE_MS = 60_000;

/** The warm instances of one template for one purpose, for whoever comes or for one organisation. */
export type Stock = {
  readonly template: Template;
  readonly purpose: Purpose;
  /** As it was last heard of: its quota may change. */
  tenant: Tenant | null;
  readonly floor: number;
  readonly ceiling: number;
  readonly warm: Instance[];
  creating: number;
  /** When one was asked for lately, and when for the last time. */
  claims: number[];
  claimedAt: number;
  /** How long one takes to make, lately. */
  makingMs: number;
  failedAt: number;
};

export function createStock(template: Template, purpose: Purpose, tenant: Tenant | null): Stock {
  const { floor, ceiling } = purpose === 'sandbox' ? template.pool : (template.pool.cells ?? { floor: 0, ceiling: 0 });
  return {
    template,
    purpose,
    tenant,
    floor: tenant ? 0 : floor,
    ceiling,
    warm: [],
    creating: 0,
    claims: [],
    claimedAt: 0,
    makingMs: 0,
    failedAt: 0,
  };
}

/**
 * How many are to be warm: as many above the floor as lately were claimed in the time that it takes to make one, or in a second
 * where that is less; one for an organisation that lately came; never more than the ceiling.
 */
export function targetOf(stock: Stock, now: number): number {
  stock.claims = stock.claims.filter((at) => at > now - DEMAND_WINDOW_MS);
  const demand = Math.ceil((stock.claims.length / DEMAND_WINDOW_MS) * Math.max(COVERED_MS, stock.makingMs));
  const least = stock.tenant && isActive(stock, now) ? 1 : 0;
  const ceiling = Math.min(stock.ceiling, stock.tenant?.sandboxes ?? stock.ceiling);
  return Math.min(ceiling, stock.floor + Math.max(least, demand));
}

/** Learns how long one takes to make. */
export function tookMs(stock: Stock, ms: number): void {
  stock.makingMs += (ms - stock.makingMs) * (stock.makingMs ? LATEST_SHARE : 1);
}

/** An organisation's that has gone down to nothing. */
export function isIdle(stock: Stock, now: number): boolean {
  return stock.tenant !== null && stock.warm.length + stock.creating === 0 && !isActive(stock, now);
}

/** Takes one out, if there is one. */
export function takeFrom(stock: Stock, now: number): Instance | undefined {
  stock.claims.push(now);
  stock.claimedAt = now;
  return stock.warm.shift();
}

const isActive = ({ claimedAt }: Stock, now: number) => now - claimedAt < ACTIVE_MS;
