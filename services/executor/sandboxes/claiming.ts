import { LRUCache } from 'lru-cache';
import type { SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Backend } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import { fileSystemSizes } from '../backends/file-systems.ts';
import { type Tenant, tenantOf } from '../backends/tenant.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import { sameLimits } from '../instances/limits.ts';
import type { Pool } from '../instances/pool.ts';
import type { Claims } from './claims.ts';

const AGENT_DEADLINE_MS = 5_000;
const AGENT_HEADROOM_BYTES = 32 * 1024 * 1024;
const RETRY_AFTER_MS = 5_000;
const REFUSED_MS = 60_000;
const MAX_REFUSED = 1_000;

export type CheckedSpec = Omit<SandboxSpec, 'limits' | 'expireTime' | 'tenancy'> & {
  limits: SandboxLimits;
  expireTime: Date;
  tenant: Tenant;
};

/** An instance that has a claim. */
export type Claimed = { instance: Instance; claim: Claim; warm: boolean };

export type Claiming = {
  /** Binds a warm instance, or creates one. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Claimed>;
};

export type ClaimingDependencies = {
  backend: Backend;
  instances: Instances;
  pool: Pool;
  claims: Claims;
  log: Logger;
};

/** `refused`: limits that the backend lately had no capacity for. Each attempt would cost a warm instance. */
type State = ClaimingDependencies & { refused: LRUCache<string, true> };

/** Gives instances to sandboxes. */
export function createClaiming(dependencies: ClaimingDependencies): Claiming {
  const state: State = { ...dependencies, refused: new LRUCache({ max: MAX_REFUSED, ttl: REFUSED_MS }) };
  return {
    claim: async (template, spec, signal) =>
      (await claimWarm(state, template, spec)) ?? (await claimCold(state, template, spec, signal)),
  };
}

/** If an instance fails to bind, it is destroyed and the next one tried. */
async function claimWarm(state: State, template: Template, spec: CheckedSpec): Promise<Claimed | undefined> {
  const { backend, pool, refused, log } = state;
  if (!fitsWarm(template, spec.limits) || refused.has(keyOf(spec))) return undefined;
  if (!backend.capabilities.changesLimits && !sameLimits(template.limits, spec.limits)) return undefined;
  const next = () => pool.take(template.id, 'sandbox', spec.tenant);
  for (let instance = next(); instance; instance = next()) {
    const claim = await write(state, instance, spec).catch((error) => {
      pool.giveBack(instance, spec.tenant);
      throw error;
    });
    try {
      if (!(await adapt(state, instance, spec))) return undefined;
      await bind(instance, spec);
      return { instance, claim, warm: true };
    } catch (error) {
      log.warn({ err: error, instanceId: instance.id }, 'failed to claim a warm sandbox');
      inBackground(state, instance, giveUp(state, instance));
    }
  }
  return undefined;
}

async function claimCold(state: State, template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Claimed> {
  const { limits, tenant } = spec;
  const order = { template, limits, purpose: 'sandbox', tenant } as const;
  const instance = await state.instances.create(order, signal, { urgent: true });
  try {
    const claim = await write(state, instance, spec);
    await bind(instance, spec);
    return { instance, claim, warm: false };
  } catch (cause) {
    await giveUp(state, instance);
    if (hasReason(cause, 'NO_CAPACITY')) throw cause;
    throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended while it was claimed', { cause });
  }
}

/** Writes the claim on an instance. Until the instance is bound, nothing in it has changed. */
async function write({ claims }: State, instance: Instance, spec: CheckedSpec): Promise<Claim> {
  const { sandboxId, organizationId, template, limits, expireTime } = spec;
  const claim = { sandboxId, organizationId, template, limits, expireTime: expireTime.getTime(), confirmed: false };
  await claims.write(instance.id, claim).catch((cause) => {
    const message = 'this executor cannot write claims; free or mend the disk of its data directory';
    throw new DrydockError('NO_CAPACITY', message, { cause, retryAfterMs: RETRY_AFTER_MS });
  });
  return claim;
}

async function bind({ link }: Instance, { sandboxId, environment }: CheckedSpec): Promise<void> {
  await link.control.bind({ sandboxId, environment }, { deadlineMs: AGENT_DEADLINE_MS });
}

/**
 * Sets the limits of a warm instance. False if the backend cannot set them now: it could not for the next instance either, so
 * this one returns to the pool.
 */
async function adapt(state: State, instance: Instance, spec: CheckedSpec): Promise<boolean> {
  if (sameLimits(instance.limits, spec.limits)) return true;
  try {
    if (await state.backend.setLimits(instance.id, spec.limits)) return true;
  } catch (error) {
    if (!hasReason(error, 'NO_CAPACITY', 'SERVICE_UNAVAILABLE')) throw error;
    state.log.warn({ err: error, instanceId: instance.id }, 'failed to set the limits of a warm sandbox');
    if (hasReason(error, 'NO_CAPACITY')) state.refused.set(keyOf(spec), true);
    inBackground(state, instance, giveBack(state, instance, spec));
    return false;
  }
  throw new Error('the sandbox uses more memory than its new limit');
}

/** Returns an instance to the pool with the limits of its template, or destroys it if they cannot be set. */
async function giveBack(state: State, instance: Instance, { tenant }: CheckedSpec): Promise<void> {
  const { backend, claims, pool, log } = state;
  try {
    await claims.remove(instance.id);
    if (!(await backend.setLimits(instance.id, instance.template.limits)))
      throw new Error('the sandbox uses more memory than the limit of its template');
    pool.giveBack(instance, tenant);
  } catch (error) {
    log.warn({ err: error, instanceId: instance.id }, 'failed to return a warm sandbox to the pool');
    await giveUp(state, instance);
  }
}

/**
 * Destroys an instance that no sandbox has used. The claim is removed first: its sandbox may have another instance by now, and an
 * instance that ends with the claim would be reported as the end of that sandbox.
 */
async function giveUp({ claims, instances }: State, instance: Instance): Promise<void> {
  try {
    await claims.remove(instance.id);
  } finally {
    await instances.abandon(instance);
  }
}

/** The caller does not wait for `work`. */
function inBackground({ log }: State, instance: Instance, work: Promise<void>): void {
  work.catch((error) => log.warn({ err: error, instanceId: instance.id }, 'failed to remove a claim'));
}

/** Session completes every spec; an incomplete one is a defect and never means "unlimited". */
export function checkSpec(spec: SandboxSpec): CheckedSpec {
  const { limits, expireTime } = spec;
  if (!limits || !expireTime || !spec.sandboxId || !spec.organizationId)
    throw new DrydockError('INTERNAL', 'a sandbox spec came incomplete');
  const { memoryBytes, processes, diskBytes, cpus } = limits;
  return { ...spec, limits: { memoryBytes, processes, diskBytes, cpus }, expireTime, tenant: tenantOf(spec) };
}

const keyOf = ({ template, limits: { memoryBytes, processes, cpus } }: CheckedSpec) =>
  `${template} ${memoryBytes} ${processes} ${cpus}`;

/** A warm instance has its disk already, and its memory must hold that whole disk beside the agent. */
function fitsWarm({ limits: current }: Template, wanted: SandboxLimits): boolean {
  const { home, tmp, shm } = fileSystemSizes(current);
  return wanted.diskBytes === current.diskBytes && wanted.memoryBytes >= home + tmp + shm + AGENT_HEADROOM_BYTES;
}
