import type { Catalog, SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { counter, gauge } from '#libs/telemetry.ts';
import type { EndedReason } from '../backends/backend.ts';
import type { Tenant } from '../backends/tenant.ts';
import type { Capacity, Reservation } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import { sameLimits } from '../instances/limits.ts';
import type { Pool } from '../instances/pool.ts';
import { stoppedBy } from '../sandboxes/sandboxes.ts';

// Files and processes that a program hid from the clean-up of its cell end with these at the latest.
const MAX_EXECUTIONS = 1_000;
const MAX_AGE_MS = 30 * 60_000;
const SWEEP_INTERVAL_MS = 1_000;

const takes = counter('executor_leases_total', 'Sandboxes taken for cells.', ['template', 'warmth']);

/** A sandbox in which one organisation has its cells, one at a time. */
export type CellHost = {
  readonly instance: Instance;
  readonly organizationId: string;
  /** The limits that are set now. */
  limits: SandboxLimits;
  readonly reservation: Reservation;
  /** When it got its first cell, in milliseconds since 1970. */
  readonly since: number;
  executions: number;
  /** Since when it has been idle; undefined while an execution uses it. */
  idleSince: number | undefined;
  /** Aborted when the sandbox ends, with the error that its calls get. */
  readonly lifetime: AbortController;
  /** Set while its cell is being closed; resolves when it is idle or removed. */
  closing: Promise<void> | undefined;
  /** Set while it is being removed. */
  removal: Promise<void> | undefined;
};

export type Wanted = { tenant: Tenant; template: string; limits: SandboxLimits };

export type CellHosts = {
  /** Sweeps every second. Disposing destroys every cell host. */
  start(): AsyncDisposable;
  /**
   * Takes a cell host for an execution: an idle one of the organisation, the next of its own to become idle, or a new one. Errors:
   * NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED if the template cannot have cells.
   */
  take(wanted: Wanted, signal: AbortSignal): Promise<CellHost>;
  /**
   * Returns a cell host whose cell is being closed. It becomes idle if `closed` resolves with true, and is destroyed otherwise.
   * Callers need not await the result.
   */
  release(host: CellHost, closed: Promise<boolean>): Promise<void>;
  /** Destroys every cell host of an organisation. */
  discardOf(organizationId: string): Promise<void>;
  /** Destroys a cell host. */
  discard(host: CellHost): Promise<void>;
  /** Evicts the cell host idle longest, or the next to become idle; false if there is none. */
  evict(): Promise<boolean>;
  /** Removes the cell host whose instance ended by itself; false if it was none. */
  instanceEnded(instanceId: string, reason: EndedReason): Promise<boolean>;
  /** Destroys cell hosts that were idle for too long or are too old, and retries failed removals. */
  sweep(now: number): void;
  idleAndUsed(): [idle: CellHost[], used: CellHost[]];
};

export type CellHostsDependencies = {
  instances: Instances;
  pool: Pool;
  capacity: Capacity;
  catalog: Catalog;
  /** How long an idle cell host is kept for the organisation's next execution. */
  idleMs: number;
  log: Logger;
};

type State = CellHostsDependencies & { hosts: Set<CellHost> };

export function createCellHosts(dependencies: CellHostsDependencies): CellHosts {
  const { log } = dependencies;
  const state: State = { ...dependencies, hosts: new Set() };
  const { hosts } = state;
  const idleAndUsed = (): [CellHost[], CellHost[]] => [
    [...hosts].filter(isIdle),
    [...hosts].filter((host) => !isIdle(host)),
  ];
  const discardAll = async (discarded: CellHost[]) => {
    await Promise.all(discarded.map((host) => remove(state, host)));
  };
  return {
    start() {
      measure(idleAndUsed);
      const periodic = every(SWEEP_INTERVAL_MS, log, async () => sweep(state, Date.now()));
      return {
        async [Symbol.asyncDispose]() {
          await periodic[Symbol.asyncDispose]();
          await discardAll([...hosts]);
        },
      };
    },
    take: (wanted, signal) => take(state, wanted, signal),
    release(host, closed) {
      host.closing ??= settle(state, host, closed);
      return host.closing;
    },
    discardOf: (organizationId) => discardAll([...hosts].filter((host) => host.organizationId === organizationId)),
    discard: (host) => remove(state, host),
    evict: () => evict(state),
    async instanceEnded(instanceId, reason) {
      const host = [...hosts].find(({ instance }) => instance.id === instanceId);
      if (!host) return false;
      host.lifetime.abort(stoppedBy(reason));
      await remove(state, host);
      return true;
    },
    sweep: (now) => sweep(state, now),
    idleAndUsed,
  };
}

async function take(state: State, wanted: Wanted, signal: AbortSignal): Promise<CellHost> {
  const template = state.catalog.templates.get(wanted.template);
  if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${wanted.template}`);
  const host = (await takeOwn(state, wanted)) ?? (await begin(state, template, wanted, signal));
  host.executions++;
  return host;
}

/** One with the same limits first: changing them costs a little. Closing a cell takes less time than creating a sandbox. */
async function takeOwn({ hosts }: State, wanted: Wanted): Promise<CellHost | undefined> {
  const { tenant, template, limits } = wanted;
  for (;;) {
    const own = [...hosts].filter(
      (host) => host.organizationId === tenant.organizationId && host.instance.template.id === template,
    );
    const idle = own.filter(isIdle);
    const best = idle.find((host) => sameLimits(host.limits, limits)) ?? idle.at(-1);
    if (best) return reuse(best, wanted);
    const closing = own.find((host) => host.closing);
    if (!closing) return undefined;
    await closing.closing;
  }
}

async function reuse(host: CellHost, { limits }: Wanted): Promise<CellHost> {
  const { idleSince } = host;
  host.idleSince = undefined;
  try {
    await host.reservation.resize(limits);
    return host;
  } catch (error) {
    host.idleSince = idleSince;
    throw error;
  }
}

async function begin(state: State, template: Template, { tenant, limits }: Wanted, signal: AbortSignal) {
  const { instances, pool, capacity, hosts } = state;
  const reservation = await capacity.reserve(limits);
  try {
    const warm = pool.take(template.id, 'cells', tenant);
    const order = { template, limits: template.limits, purpose: 'cells', tenant } as const;
    const host: CellHost = {
      instance: warm ?? (await instances.create(order, signal, { urgent: true })),
      organizationId: tenant.organizationId,
      limits: template.limits,
      reservation,
      since: Date.now(),
      executions: 0,
      idleSince: undefined,
      lifetime: new AbortController(),
      closing: undefined,
      removal: undefined,
    };
    hosts.add(host);
    takes.inc({ template: template.id, warmth: warm ? 'warm' : 'cold' });
    return host;
  } catch (error) {
    reservation[Symbol.dispose]();
    throw error;
  }
}

async function settle(state: State, host: CellHost, closed: Promise<boolean>): Promise<void> {
  const isClosed = await closed;
  host.closing = undefined;
  const isWorn = host.executions >= MAX_EXECUTIONS || Date.now() - host.since > MAX_AGE_MS;
  if (!isClosed || isWorn || host.lifetime.signal.aborted) removeLater(state, host);
  else host.idleSince = Date.now();
}

async function evict(state: State): Promise<boolean> {
  const { hosts, log } = state;
  for (;;) {
    const oldest = [...hosts].filter(isIdle).sort((a, b) => a.idleSince - b.idleSince)[0];
    if (oldest) {
      await remove(state, oldest).catch((error) => log.warn({ err: error }, 'failed to remove an evicted cell host'));
      return true;
    }
    const closing = [...hosts].find((host) => host.closing);
    if (!closing) return false;
    await closing.closing;
  }
}

function sweep(state: State, now: number): void {
  for (const host of state.hosts) {
    const { idleSince, lifetime, removal } = host;
    const isOver = idleSince !== undefined && (now - idleSince > state.idleMs || now - host.since > MAX_AGE_MS);
    if (isOver || (lifetime.signal.aborted && !removal)) removeLater(state, host);
  }
}

function remove(state: State, host: CellHost): Promise<void> {
  host.idleSince = undefined;
  if (!host.lifetime.signal.aborted)
    host.lifetime.abort(new DrydockError('SANDBOX_STOPPED', 'the sandbox of the cell was stopped'));
  host.removal ??= removeOnce(state, host);
  return host.removal;
}

async function removeOnce({ instances, hosts }: State, host: CellHost): Promise<void> {
  try {
    await instances.destroy(host.instance);
    hosts.delete(host);
    host.reservation[Symbol.dispose]();
  } finally {
    host.removal = undefined;
  }
}

function removeLater(state: State, host: CellHost): void {
  remove(state, host).catch((error) =>
    state.log.warn({ err: error, instanceId: host.instance.id }, 'failed to remove a cell host; trying again later'),
  );
}

function isIdle(host: CellHost): host is CellHost & { idleSince: number } {
  return host.idleSince !== undefined;
}

function measure(idleAndUsed: CellHosts['idleAndUsed']): void {
  gauge('executor_leases', 'Cell hosts.', ['use'], (set) => {
    const [idle, used] = idleAndUsed();
    set({ use: 'idle' }, idle.length);
    set({ use: 'used' }, used.length);
  });
}
