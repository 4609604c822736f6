import { LRUCache } from 'lru-cache';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { counter, durationHistogram, gauge } from '#libs/telemetry.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { type Backend, type EndedReason, takenOver } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import { eachOf } from '../backends/each-of.ts';
import type { Capacity, Reservation } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import { type CheckedSpec, type Claimed, type Claiming, checkSpec, createClaiming } from './claiming.ts';
import type { Claims } from './claims.ts';

const UNCONFIRMED_MS = 30_000;
const WRITE_INTERVAL_MS = 5_000;
// Longer than session needs to record which executor has taken a sandbox over.
const MOVED_REMEMBERED_MS = 60_000;
const MAX_MOVED = 10_000;

const claimed = counter('executor_claims_total', 'Sandboxes given out.', ['template', 'warmth']);
const claimTime = durationHistogram('executor_claim_seconds', 'From a claim to a sandbox that can be used.', [
  'warmth',
]);

/** A sandbox of an organisation. */
export type Sandbox = Claim & {
  instance: Instance;
  reservation: Reservation;
  /** It came from the pool. */
  warm: boolean;
  claimedAt: number;
  /** Aborted when the sandbox ends, with the error that its calls get. */
  lifetime: AbortController;
  /** The current claim, if the one on disk is older. */
  unwritten: Claim | undefined;
  /** Set while it is being removed. */
  removal: Promise<void> | undefined;
};

export type Sandboxes = {
  /** Retries failed writes of claims every 5 s. Disposing releases every sandbox, which the next process adopts. */
  start(): AsyncDisposable;
  /** Binds a warm instance or creates one. Idempotent by sandbox id. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /**
   * A sandbox of an organisation. Errors: SANDBOX_NOT_FOUND, also if it belongs to another organisation; SERVICE_UNAVAILABLE if
   * another executor has taken it over.
   */
  get(sandboxId: string, organizationId: string): Sandbox;
  /** Marks a sandbox as recorded by session. If the claim cannot be written, the mark holds and the write is retried. */
  confirm(sandbox: Sandbox): Promise<void>;
  /** Moves the deadline. If the claim cannot be written, the new deadline holds and the write is retried. */
  extend(sandbox: Sandbox, expireTime: Date): Promise<void>;
  /** Retries the writes of claims that failed. */
  writeAgain(): Promise<void>;
  /** Destroys a sandbox. Succeeds if there is none. */
  destroy(sandboxId: string): Promise<void>;
  /** Restores a sandbox of an earlier process, or of an executor that was lost. */
  adopt(instance: Instance, claim: Claim): Promise<void>;
  /** Removes the sandbox whose instance ended by itself, and answers it, if there is one. */
  instanceEnded(instanceId: string, reason: EndedReason): Promise<Sandbox | undefined>;
  list(): Sandbox[];
  /** Releases the sandbox whose instance another executor has taken over, if there is one. */
  takenOver(instanceId: string): Promise<void>;
  /** Sandboxes past their deadline, unconfirmed for 30 s, or whose removal failed. */
  overdue(now: number): Sandbox[];
};

export type Dependencies = {
  backend: Backend;
  instances: Instances;
  pool: Pool;
  claims: Claims;
  capacity: Capacity;
  catalog: Catalog;
  log: Logger;
};

type State = Dependencies & {
  held: Map<string, Sandbox>;
  /** Claims that are in progress, by sandbox. */
  pending: Map<string, Promise<Sandbox>>;
  /** Organisations by sandbox, of those that another executor has lately taken over. */
  moved: LRUCache<string, string>;
  claiming: Claiming;
};

export function createSandboxes(dependencies: Dependencies): Sandboxes {
  const { log } = dependencies;
  const held = new Map<string, Sandbox>();
  const moved = new LRUCache<string, string>({ max: MAX_MOVED, ttl: MOVED_REMEMBERED_MS });
  const state: State = { ...dependencies, held, moved, pending: new Map(), claiming: createClaiming(dependencies) };
  return {
    start() {
      gauge('executor_sandboxes', 'Sandboxes of organisations.', [], (set) => set({}, held.size));
      const periodic = every(WRITE_INTERVAL_MS, log, () => writeAgain(state));
      return {
        async [Symbol.asyncDispose]() {
          await periodic[Symbol.asyncDispose]();
          await Promise.all([...held.values()].map(({ instance }) => instance.link[Symbol.asyncDispose]()));
          held.clear();
        },
      };
    },
    claim: async (spec, signal) => claim(state, checkSpec(spec), signal),
    get(sandboxId, organizationId) {
      if (moved.get(sandboxId) === organizationId) throw takenOver();
      const sandbox = held.get(sandboxId);
      if (sandbox?.organizationId !== organizationId || sandbox.lifetime.signal.aborted)
        throw new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
      return sandbox;
    },
    async confirm(sandbox) {
      sandbox.confirmed = true;
      await write(state, sandbox);
    },
    async extend(sandbox, expireTime) {
      sandbox.expireTime = expireTime.getTime();
      await write(state, sandbox);
    },
    writeAgain: () => writeAgain(state),
    async destroy(sandboxId) {
      // A claim whose caller hung up may still be pending, and would live until its confirmation is overdue.
      await state.pending.get(sandboxId)?.catch(() => {});
      const sandbox = held.get(sandboxId);
      if (sandbox) await remove(state, sandbox, new DrydockError('SANDBOX_STOPPED', 'the sandbox was stopped'));
    },
    adopt: (instance, claim) => adopt(state, instance, claim),
    async instanceEnded(instanceId, reason) {
      const sandbox = ofInstance(state, instanceId);
      if (!sandbox || sandbox.lifetime.signal.aborted) return undefined;
      await remove(state, sandbox, stoppedBy(reason)).catch((cause) =>
        log.warn({ err: cause, instanceId }, 'failed to remove a sandbox that ended; trying again later'),
      );
      return sandbox;
    },
    list: () => [...held.values()],
    takenOver: (instanceId) => release(state, instanceId),
    overdue: (now) =>
      [...held.values()].filter(
        ({ expireTime, confirmed, claimedAt, lifetime, removal }) =>
          !removal &&
          (lifetime.signal.aborted || now >= expireTime || (!confirmed && now - claimedAt > UNCONFIRMED_MS)),
      ),
  };
}

async function claim(state: State, spec: CheckedSpec, signal: AbortSignal): Promise<Sandbox> {
  const { held, pending } = state;
  const existing = held.get(spec.sandboxId);
  if (existing?.lifetime.signal.aborted) throw existing.lifetime.signal.reason;
  if (existing) return existing;
  const underWay = pending.get(spec.sandboxId);
  if (underWay) return underWay;
  const claim = claimOnce(state, spec, signal).finally(() => pending.delete(spec.sandboxId));
  pending.set(spec.sandboxId, claim);
  return claim;
}

async function claimOnce({ catalog, capacity, claiming, held }: State, spec: CheckedSpec, signal: AbortSignal) {
  const template = catalog.templates.get(spec.template);
  if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${spec.template}`);
  const startedAt = performance.now();
  const reservation = await capacity.reserve(spec.limits);
  try {
    const sandbox = toSandbox(await claiming.claim(template, spec, signal), reservation);
    held.set(spec.sandboxId, sandbox);
    const warmth = sandbox.warm ? 'warm' : 'cold';
    claimed.inc({ template: template.id, warmth });
    claimTime.observe({ warmth }, (performance.now() - startedAt) / 1000);
    return sandbox;
  } catch (error) {
    reservation[Symbol.dispose]();
    throw error;
  }
}

async function adopt(state: State, instance: Instance, claim: Claim): Promise<void> {
  const { capacity, moved, held, log } = state;
  moved.delete(claim.sandboxId);
  const reservation = capacity.occupy(claim.limits);
  const sandbox = toSandbox({ instance, claim, warm: false }, reservation);
  held.set(claim.sandboxId, sandbox);
  await write(state, sandbox).catch((error) =>
    log.error({ err: error, instanceId: instance.id }, 'failed to write the claim of an adopted sandbox; retrying'),
  );
}

async function release(state: State, instanceId: string): Promise<void> {
  const sandbox = ofInstance(state, instanceId);
  if (!sandbox) return;
  state.held.delete(sandbox.sandboxId);
  state.moved.set(sandbox.sandboxId, sandbox.organizationId);
  sandbox.reservation[Symbol.dispose]();
  sandbox.lifetime.abort(takenOver());
  await state.instances.release(sandbox.instance);
  await state.claims.remove(instanceId);
}

function remove(state: State, sandbox: Sandbox, error: DrydockError): Promise<void> {
  sandbox.lifetime.abort(error);
  sandbox.removal ??= removeOnce(state, sandbox);
  return sandbox.removal;
}

async function removeOnce({ instances, claims, held }: State, sandbox: Sandbox): Promise<void> {
  try {
    await instances.destroy(sandbox.instance);
    await claims.remove(sandbox.instance.id);
    held.delete(sandbox.sandboxId);
    sandbox.reservation[Symbol.dispose]();
  } finally {
    sandbox.removal = undefined;
  }
}

/** A claim that could not be written stays `unwritten` for the next attempt: a restart would lose it. */
async function write({ claims }: State, sandbox: Sandbox): Promise<void> {
  const claim = claimOf(sandbox);
  sandbox.unwritten = claim;
  await claims.write(sandbox.instance.id, claim);
  if (sandbox.unwritten === claim) sandbox.unwritten = undefined;
}

function writeAgain(state: State): Promise<void> {
  const unwritten = [...state.held.values()].filter(({ unwritten, lifetime }) => unwritten && !lifetime.signal.aborted);
  return eachOf(unwritten, (sandbox) => write(state, sandbox));
}

function ofInstance({ held }: State, instanceId: string): Sandbox | undefined {
  return [...held.values()].find(({ instance }) => instance.id === instanceId);
}

function toSandbox({ instance, claim, warm }: Claimed, reservation: Reservation): Sandbox {
  return {
    ...claim,
    instance,
    reservation,
    warm,
    claimedAt: Date.now(),
    lifetime: new AbortController(),
    unwritten: undefined,
    removal: undefined,
  };
}

const CAUSES: Record<EndedReason, string> = {
  OUT_OF_MEMORY: 'it ran out of memory',
  EXITED: 'it ended by itself',
  EVICTED: 'its host needed the room',
  HOST_LOST: 'its host was lost',
};

/** The error that calls get when an instance ended by itself. */
export function stoppedBy(stopReason: EndedReason): DrydockError {
  return new DrydockError('SANDBOX_STOPPED', `the sandbox stopped: ${CAUSES[stopReason]}`, {
    metadata: { stopReason },
  });
}

function claimOf({ sandboxId, organizationId, template, limits, expireTime, confirmed }: Sandbox): Claim {
  return { sandboxId, organizationId, template, limits, expireTime, confirmed };
}
