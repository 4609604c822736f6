import { hasReason } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Capacity, Share } from './capacity.ts';
import type { Instances } from './instances.ts';
import { isIdle, recordCreationMs, targetOf, type WarmSet } from './warm-set.ts';

const INTERVAL_MS = 1_000;
const WORKERS = 2;
// A creation keeps every core busy; while warm instances are left, the caller that took one is served first.
const LATER_MS = 50;
const PAUSE_AFTER_FAILURE_MS = 2_000;

export type RefillDependencies = {
  warmSets: Set<WarmSet>;
  instances: Instances;
  capacity: Pick<Capacity, 'fits'>;
  /** Once aborted, warm sets are no longer filled. */
  draining: AbortSignal;
  log: Logger;
};

/** Keeps warm sets at their targets until disposed. */
export type Refill = AsyncDisposable & {
  /** An instance was taken from a set: fills it now if it is empty, else a moment later. */
  request(set: WarmSet): void;
};

export function startRefill(dependencies: RefillDependencies): Refill {
  const periodic = every(INTERVAL_MS, dependencies.log, async (signal) => {
    const worker = async () => {
      for (let set = nextOf(dependencies); set && !signal.aborted; set = nextOf(dependencies))
        await createOne(dependencies, set, signal);
    };
    await Promise.all(Array.from({ length: WORKERS }, worker));
    await shrink(dependencies);
  });
  let later: NodeJS.Timeout | undefined;
  const now = () => {
    clearTimeout(later);
    later = undefined;
    periodic.trigger();
  };
  return {
    request({ warm }) {
      if (warm.length > 0) later ??= setTimeout(now, LATER_MS);
      else now();
    },
    async [Symbol.asyncDispose]() {
      clearTimeout(later);
      await periodic[Symbol.asyncDispose]();
    },
  };
}

/** The set that lacks most, among those that may get another instance now. */
function nextOf({ warmSets, instances, capacity, draining }: RefillDependencies): WarmSet | undefined {
  if (draining.aborted || instances.isBusy()) return undefined;
  const reserved = reservedShares(warmSets);
  const fits = ({ template, tenant }: WarmSet) => capacity.fits(template.limits, tenant ? reserved : []);
  const missing = (set: WarmSet) => missingOf(set, instances);
  return [...warmSets]
    .filter((set) => missing(set) > 0 && fits(set))
    .filter(({ failedAt }) => Date.now() - failedAt > PAUSE_AFTER_FAILURE_MS)
    .sort((a, b) => missing(b) - missing(a))[0];
}

/** Instances below the target; negative above it. */
function missingOf(set: WarmSet, instances: Instances): number {
  const cannotHaveCells = set.purpose === 'cells' && instances.hasCells(set.template.id) === false;
  return (cannotHaveCells ? 0 : targetOf(set, Date.now())) - set.warm.length - set.creating;
}

/** What each instance reserved for an organisation may use. The catalogue bounds the shared ones; only capacity bounds these. */
function reservedShares(warmSets: Set<WarmSet>): Share[] {
  return [...warmSets]
    .filter(({ tenant }) => tenant !== null)
    .flatMap(({ template, warm, creating }) => Array(warm.length + creating).fill(template.limits));
}

async function createOne(dependencies: RefillDependencies, set: WarmSet, signal: AbortSignal): Promise<void> {
  const { warmSets, instances, log } = dependencies;
  const { template, purpose, tenant } = set;
  set.creating++;
  const startedAt = performance.now();
  try {
    const instance = await instances.create({ template, limits: template.limits, purpose, tenant }, signal);
    recordCreationMs(set, performance.now() - startedAt);
    if (signal.aborted || !warmSets.has(set)) await instances.abandon(instance);
    else set.warm.push(instance);
  } catch (error) {
    set.failedAt = Date.now();
    if (signal.aborted || hasReason(error, 'NOT_IMPLEMENTED')) return;
    const context = { template: template.id, purpose };
    // Expected while an image is being built; the message and its cause say all.
    if (hasReason(error, 'SANDBOX_START_FAILED'))
      log.warn({ ...context, reason: reasonOf(error) }, 'failed to create a warm sandbox');
    else log.error({ err: error, ...context }, 'failed to create a warm sandbox');
  } finally {
    set.creating--;
  }
}

/** Destroys one surplus instance of each set, so that a short pause in demand costs little, and drops idle sets. */
async function shrink({ warmSets, instances }: RefillDependencies): Promise<void> {
  for (const set of warmSets) {
    const surplus = missingOf(set, instances) < 0 ? set.warm.shift() : undefined;
    if (surplus) await instances.abandon(surplus);
    else if (isIdle(set, Date.now())) warmSets.delete(set);
  }
}

function reasonOf({ message, cause }: Error): string {
  return cause instanceof Error ? `${message}: ${cause.message}` : message;
}
