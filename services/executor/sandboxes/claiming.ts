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

/** An instance that is somebody's. */
export type Claimed = { instance: Instance; claim: Claim; warm: boolean };

export type Claiming = {
  /** Binds a warm instance, or else one that it makes. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Claimed>;
  /** Somebody waits for an instance that is being made. */
  isMaking(): boolean;
};

/** Gives instances to sandboxes. */
export function createClaiming(dependencies: {
  backend: Backend;
  instances: Instances;
  pool: () => Pool;
  claims: Claims;
  log: Logger;
}): Claiming {
  const { backend, instances, pool, claims, log } = dependencies;
  /** Limits that a warm sandbox could not be given for want of room: asking each time would cost one each time. */
  const refused = new LRUCache<string, true>({ max: MAX_REFUSED, ttl: REFUSED_MS });
  let making = 0;

  /** Writes down whose an instance is. Until it is bound, nothing of it has changed. */
  const write = async (instance: Instance, spec: CheckedSpec): Promise<Claim> => {
    const { sandboxId, organizationId, template, limits, expireTime } = spec;
    const claim = { sandboxId, organizationId, template, limits, expireTime: expireTime.getTime(), confirmed: false };
    await claims.write(instance.id, claim).catch((cause) => {
      const message = 'this executor cannot write claims down; free or mend the disk of its data';
      throw new DrydockError('NO_CAPACITY', message, { cause, retryAfterMs: RETRY_AFTER_MS });
    });
    return claim;
  };

  const bind = ({ link }: Instance, { sandboxId, environment }: CheckedSpec) =>
    link.control.bind({ sandboxId, environment }, { deadlineMs: AGENT_DEADLINE_MS });

  /**
   * One that nobody has had: where it cannot be ended now, it is nobody's. The claim goes first, since its sandbox may have
   * another instance by now: what is left of it would be told of as that sandbox's end.
   */
  const giveUp = async (instance: Instance): Promise<void> => {
    try {
      await claims.remove(instance.id);
    } finally {
      await instances.abandon(instance);
    }
  };

  /** Back to the pool, as it was made; what cannot be is given up. */
  const giveBack = async (instance: Instance, { tenant }: CheckedSpec): Promise<void> => {
    try {
      await claims.remove(instance.id);
      if (!(await backend.setLimits(instance.id, instance.template.limits))) throw new Error('its limits stay others');
      pool().giveBack(instance, tenant);
    } catch (error) {
      log.warn({ err: error, instanceId: instance.id }, 'warm sandbox could not be given back');
      await giveUp(instance);
    }
  };

  /** Nobody waits for it. */
  const later = (instance: Instance, work: Promise<void>): void => {
    work.catch((error) => log.warn({ err: error, instanceId: instance.id }, 'claim not removed'));
  };

  /** Whether it has the limits that are wanted. Where it cannot have them now, neither can the next one, and it stays warm. */
  const adapt = async (instance: Instance, spec: CheckedSpec): Promise<boolean> => {
    if (sameLimits(instance.limits, spec.limits)) return true;
    try {
      if (await backend.setLimits(instance.id, spec.limits)) return true;
    } catch (error) {
      if (!hasReason(error, 'NO_CAPACITY', 'SERVICE_UNAVAILABLE')) throw error;
      log.warn({ err: error, instanceId: instance.id }, 'warm sandbox cannot have such limits now');
      if (hasReason(error, 'NO_CAPACITY')) refused.set(keyOf(spec), true);
      later(instance, giveBack(instance, spec));
      return false;
    }
    throw new Error('it uses more memory than that');
  };

  /** One that fails to take its owner is given up and the next one tried. */
  const claimWarm = async (template: Template, spec: CheckedSpec): Promise<Claimed | undefined> => {
    if (!fitsWarm(template, spec.limits) || refused.has(keyOf(spec))) return undefined;
    if (!backend.capabilities.changesLimits && !sameLimits(template.limits, spec.limits)) return undefined;
    const next = () => pool().take(template.id, 'sandbox', spec.tenant);
    for (let instance = next(); instance; instance = next()) {
      const claim = await write(instance, spec).catch((error) => {
        pool().giveBack(instance, spec.tenant);
        throw error;
      });
      try {
        if (!(await adapt(instance, spec))) return undefined;
        await bind(instance, spec);
        return { instance, claim, warm: true };
      } catch (error) {
        log.warn({ err: error, instanceId: instance.id }, 'warm sandbox could not be claimed');
        later(instance, giveUp(instance));
      }
    }
    return undefined;
  };

  const claimCold = async (template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Claimed> => {
    making++;
    try {
      const { limits, tenant } = spec;
      const instance = await instances.create({ template, limits, purpose: 'sandbox', tenant }, signal);
      try {
        const claim = await write(instance, spec);
        await bind(instance, spec);
        return { instance, claim, warm: false };
      } catch (cause) {
        await giveUp(instance);
        if (hasReason(cause, 'NO_CAPACITY')) throw cause;
        throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended while it was claimed', { cause });
      }
    } finally {
      making--;
    }
  };

  return {
    claim: async (template, spec, signal) =>
      (await claimWarm(template, spec)) ?? (await claimCold(template, spec, signal)),
    isMaking: () => making > 0,
  };
}

/** Session completes every spec; one that is not complete is a defect and never means "unlimited". */
export function checkSpec(spec: SandboxSpec): CheckedSpec {
  const { limits, expireTime } = spec;
  if (!limits || !expireTime || !spec.sandboxId || !spec.organizationId)
    throw new DrydockError('INTERNAL', 'a sandbox spec came incomplete');
  const { memoryBytes, processes, diskBytes, cpus } = limits;
  return { ...spec, limits: { memoryBytes, processes, diskBytes, cpus }, expireTime, tenant: tenantOf(spec) };
}

const keyOf = ({ template, limits: { memoryBytes, processes, cpus } }: CheckedSpec) =>
  `${template} ${memoryBytes} ${processes} ${cpus}`;

/** A warm instance has its disk already, and its memory must hold that disk whole beside the agent. */
function fitsWarm({ limits: made }: Template, wanted: SandboxLimits): boolean {
  const { home, tmp, shm } = fileSystemSizes(made);
  return wanted.diskBytes === made.diskBytes && wanted.memoryBytes >= home + tmp + shm + AGENT_HEADROOM_BYTES;
}
