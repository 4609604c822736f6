import type { Catalog, SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type { EndedReason } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Place, Room } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import { sameLimits } from '../instances/limits.ts';
import type { Pool } from '../instances/pool.ts';
import { stoppedBy } from '../sandboxes/sandboxes.ts';

// What a program may have left where nobody looks for it ends at the latest with these.
const MAX_EXECUTIONS = 1_000;
const MAX_AGE_MS = 30 * 60_000;

const taken = counter('executor_leases_total', 'Sandboxes taken for cells.', ['template', 'warmth']);

/** A sandbox in which one organisation has its cells, one at a time. */
export type Lease = {
  readonly instance: Instance;
  readonly organizationId: string;
  /** What is set now. */
  limits: SandboxLimits;
  readonly place: Place;
  readonly since: number;
  executions: number;
  /** Since when nobody uses it; absent while somebody does. */
  idleSince: number | undefined;
  /** Aborted when it ends, with the error that says why. */
  readonly ended: AbortController;
  /** Set while its cell is being closed; resolves when it is idle or given up. */
  leaving: Promise<void> | undefined;
  /** Set while it is being removed. */
  removal: Promise<void> | undefined;
};

export type Wanted = { tenant: Tenant; template: string; limits: SandboxLimits };

export type Leases = AsyncDisposable & {
  /**
   * A sandbox for cells that is the organisation's alone: one that it has already or is just leaving, or a fresh one.
   * Errors: NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED where the template can have no cells.
   */
  take(wanted: Wanted, signal: AbortSignal): Promise<Lease>;
  /**
   * The cell is being closed. Once that is known to be `gone` the sandbox may serve its organisation again; where it is not,
   * nobody ever gets it. Resolves when either is so; nobody has to wait for it.
   */
  leave(lease: Lease, gone: Promise<boolean>): Promise<void>;
  /** Ends every lease of an organisation. */
  discardOf(organizationId: string): Promise<void>;
  /** Ends a lease with its sandbox, which nobody else ever gets. */
  discard(lease: Lease): Promise<void>;
  /** Gives up the lease that was idle longest, or is the first to be so. False where none is. */
  giveWay(): Promise<boolean>;
  /** An instance ended by itself: whether it was leased. */
  instanceEnded(instanceId: string, reason: EndedReason): Promise<boolean>;
  /** Ends what was idle for too long, and what could not be removed before. */
  sweep(now: number): void;
  /** Leases that nobody uses now, and the others. */
  idleAndUsed(): [idle: Lease[], used: Lease[]];
  /** Somebody waits for an instance that is being made. */
  isMaking(): boolean;
};

export function createLeases(dependencies: {
  instances: Instances;
  pool: () => Pool;
  room: Room;
  catalog: Catalog;
  /** How long one is kept for the organisation's next execution. */
  idleMs: number;
  log: Logger;
}): Leases {
  const { instances, pool, room, catalog, idleMs, log } = dependencies;
  const held = new Set<Lease>();
  let making = 0;

  const remove = (lease: Lease): Promise<void> => {
    lease.idleSince = undefined;
    if (!lease.ended.signal.aborted)
      lease.ended.abort(new DrydockError('SANDBOX_STOPPED', 'the sandbox of the cell was given up'));
    const removeOnce = async () => {
      try {
        await instances.destroy(lease.instance);
        held.delete(lease);
        lease.place[Symbol.dispose]();
      } finally {
        lease.removal = undefined;
      }
    };
    lease.removal ??= removeOnce();
    return lease.removal;
  };
  const removeLater = (lease: Lease): void => {
    remove(lease).catch((error) => log.warn({ err: error, instanceId: lease.instance.id }, 'lease not removed yet'));
  };

  const settle = async (lease: Lease, gone: Promise<boolean>): Promise<void> => {
    const isGone = await gone;
    lease.leaving = undefined;
    const worn = lease.executions >= MAX_EXECUTIONS || Date.now() - lease.since > MAX_AGE_MS;
    if (!isGone || worn || lease.ended.signal.aborted) removeLater(lease);
    else lease.idleSince = Date.now();
  };

  const giveWay = async (): Promise<boolean> => {
    const oldest = [...held].filter(isIdle).sort((a, b) => a.idleSince - b.idleSince)[0];
    if (oldest) {
      await remove(oldest).catch((error) => log.warn({ err: error }, 'lease that gave way not removed yet'));
      return true;
    }
    const leaving = [...held].find((lease) => lease.leaving);
    if (!leaving) return false;
    await leaving.leaving;
    return giveWay();
  };

  const reuse = async (lease: Lease, { limits }: Wanted): Promise<Lease> => {
    const { idleSince } = lease;
    lease.idleSince = undefined;
    try {
      await lease.place.resize(limits.memoryBytes);
      return lease;
    } catch (error) {
      lease.idleSince = idleSince;
      throw error;
    }
  };

  /** One with the same limits first, since changing them costs a little. Closing a cell takes less than making a sandbox. */
  const takeOwn = async (wanted: Wanted): Promise<Lease | undefined> => {
    const { tenant, template, limits } = wanted;
    const own = [...held].filter(
      (lease) => lease.organizationId === tenant.organizationId && lease.instance.template.id === template,
    );
    const idle = own.filter(isIdle);
    const best = idle.find((lease) => sameLimits(lease.limits, limits)) ?? idle.at(-1);
    if (best) return reuse(best, wanted);
    const leaving = own.find((lease) => lease.leaving);
    if (!leaving) return undefined;
    await leaving.leaving;
    return takeOwn(wanted);
  };

  const make = async (template: Template, tenant: Tenant, signal: AbortSignal): Promise<Instance> => {
    making++;
    try {
      return await instances.create({ template, limits: template.limits, purpose: 'cells', tenant }, signal);
    } finally {
      making--;
    }
  };

  const begin = async (template: Template, { tenant, limits }: Wanted, signal: AbortSignal): Promise<Lease> => {
    const place = await room.take(limits.memoryBytes);
    try {
      const warm = pool().take(template.id, 'cells', tenant);
      const instance = warm ?? (await make(template, tenant, signal));
      const ended = new AbortController();
      const lease: Lease = {
        instance,
        organizationId: tenant.organizationId,
        limits: template.limits,
        place,
        since: Date.now(),
        executions: 0,
        idleSince: undefined,
        ended,
        leaving: undefined,
        removal: undefined,
      };
      held.add(lease);
      taken.inc({ template: template.id, warmth: warm ? 'warm' : 'cold' });
      return lease;
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  };

  return {
    async take(wanted, signal) {
      const template = catalog.templates.get(wanted.template);
      if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${wanted.template}`);
      const lease = (await takeOwn(wanted)) ?? (await begin(template, wanted, signal));
      lease.executions++;
      return lease;
    },
    leave(lease, gone) {
      lease.leaving ??= settle(lease, gone);
      return lease.leaving;
    },
    async discardOf(organizationId) {
      await Promise.all([...held].filter((lease) => lease.organizationId === organizationId).map(remove));
    },
    discard: remove,
    giveWay,
    async instanceEnded(instanceId, reason) {
      const lease = [...held].find(({ instance }) => instance.id === instanceId);
      if (!lease) return false;
      lease.ended.abort(stoppedBy(reason));
      await remove(lease);
      return true;
    },
    sweep(now) {
      for (const lease of held) {
        const { idleSince, ended, removal } = lease;
        const old = idleSince !== undefined && (now - idleSince > idleMs || now - lease.since > MAX_AGE_MS);
        if (old || (ended.signal.aborted && !removal)) removeLater(lease);
      }
    },
    idleAndUsed() {
      return [[...held].filter(isIdle), [...held].filter((lease) => !isIdle(lease))];
    },
    isMaking: () => making > 0,
    async [Symbol.asyncDispose]() {
      await Promise.all([...held].map(remove));
    },
  };
}

function isIdle(lease: Lease): lease is Lease & { idleSince: number } {
  return lease.idleSince !== undefined;
}
