import type { Template } from '#libs/catalog/catalog.ts';
import type { Purpose } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Instance } from './instances.ts';

// Demand is claims per second over this time, and a warm set covers at least this much of it ahead.
const DEMAND_WINDOW_MS = 10_000;
const COVERED_MS = 1_000;
// Weight of the latest creation in the moving average of creation time.
const LATEST_WEIGHT = 0.3;
// An organisation that made a claim within this time finds one warm instance of its own.
const ACTIVE_MS = 60_000;

/** The warm instances of one template and purpose: shared, or reserved for one organisation. */
export type WarmSet = {
  readonly template: Template;
  readonly purpose: Purpose;
  /** The organisation, with its quota as of its latest claim; null if the set is shared. */
  tenant: Tenant | null;
  readonly floor: number;
  readonly ceiling: number;
  readonly warm: Instance[];
  creating: number;
  /** Times of the claims within the demand window, and of the last one, in milliseconds since 1970. */
  claims: number[];
  claimedAt: number;
  /** Moving average of creation time. */
  creationMs: number;
  failedAt: number;
};

export function createWarmSet(template: Template, purpose: Purpose, tenant: Tenant | null): WarmSet {
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
    creationMs: 0,
    failedAt: 0,
  };
}

/**
 * How many instances are to be warm: the floor plus the claims expected during one creation, or during one second if that is
 * longer; at least one for an active organisation; never more than the ceiling or the organisation's quota.
 */
export function targetOf(set: WarmSet, now: number): number {
  set.claims = set.claims.filter((at) => at > now - DEMAND_WINDOW_MS);
  const demand = Math.ceil((set.claims.length / DEMAND_WINDOW_MS) * Math.max(COVERED_MS, set.creationMs));
  const least = set.tenant && isActive(set, now) ? 1 : 0;
  const ceiling = Math.min(set.ceiling, set.tenant?.sandboxes ?? set.ceiling);
  return Math.min(ceiling, set.floor + Math.max(least, demand));
}

/** Updates the moving average of creation time. */
export function recordCreationMs(set: WarmSet, ms: number): void {
  set.creationMs += (ms - set.creationMs) * (set.creationMs ? LATEST_WEIGHT : 1);
}

/** Whether the set belongs to an organisation that is not active, and is empty. */
export function isIdle(set: WarmSet, now: number): boolean {
  return set.tenant !== null && set.warm.length + set.creating === 0 && !isActive(set, now);
}

/** Takes the oldest warm instance, if there is one, and counts a claim either way. */
export function takeFrom(set: WarmSet, now: number): Instance | undefined {
  set.claims.push(now);
  set.claimedAt = now;
  return set.warm.shift();
}

const isActive = ({ claimedAt }: WarmSet, now: number) => now - claimedAt < ACTIVE_MS;
