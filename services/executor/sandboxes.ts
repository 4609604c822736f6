import { LRUCache } from 'lru-cache';
import type { Catalog, SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter, durationHistogram } from '#libs/telemetry.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { type Backend, type EndedReason, takenOver } from './backend.ts';
import type { Claim, Claims } from './claims.ts';
import { fileSystemSizes } from './file-systems.ts';
import type { Instance, Instances } from './instances.ts';
import { sameLimits } from './limits.ts';
import type { Pool } from './pool.ts';
import type { Place, Room } from './room.ts';
import { type Tenant, tenantOf } from './tenant.ts';

const UNCONFIRMED_MS = 30_000;
const AGENT_DEADLINE_MS = 5_000;
// Until session has long known where those are that another executor has taken over.
const MOVED_REMEMBERED_MS = 60_000;
const MAX_MOVED = 10_000;
const AGENT_HEADROOM_BYTES = 32 * 1024 * 1024;

const claimed = counter('executor_claims_total', 'Sandboxes given out.', ['template', 'warmth']);
const claimTime = durationHistogram('executor_claim_seconds', 'From a claim to a sandbox that can be used.', [
  'warmth',
]);

/** A sandbox of an organisation. */
export type Sandbox = Claim & {
  instance: Instance;
  place: Place;
  /** It came from the pool. */
  warm: boolean;
  claimedAt: number;
  /** Aborted when it ends, with the error that its calls get. */
  ended: AbortController;
  /** Set while it is being removed. */
  removal: Promise<void> | undefined;
};

export type Sandboxes = {
  /** Takes a warm instance or makes one, and binds it. Idempotent by sandbox id. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** A sandbox of an organisation. Errors: SANDBOX_NOT_FOUND, also where it is another's; SERVICE_UNAVAILABLE where it moved. */
  get(sandboxId: string, organizationId: string): Sandbox;
  confirm(sandbox: Sandbox): Promise<void>;
  extend(sandbox: Sandbox, expireTime: Date): Promise<void>;
  /** Ends a sandbox. Succeeds when there is none. */
  destroy(sandboxId: string): Promise<void>;
  /** Takes over what an earlier process left. */
  adopt(instance: Instance, claim: Claim): void;
  /** An instance ended by itself: answers with the sandbox that it was, if it was one. */
  instanceEnded(instanceId: string, reason: EndedReason): Promise<Sandbox | undefined>;
  list(): Sandbox[];
  /** An instance is another executor's now: lets go of the sandbox that it was, if it was one. */
  takenOver(instanceId: string): Promise<void>;
  /** Somebody waits for an instance that is being made. */
  isMaking(): boolean;
  /** Sandboxes whose time is over, whose claim nobody confirmed, or that could not be removed yet. */
  overdue(now: number): Sandbox[];
  /** Lets go of every sandbox without ending it: the next process takes over. */
  release(): Promise<void>;
};

export type Dependencies = {
  backend: Backend;
  instances: Instances;
  pool: () => Pool;
  claims: Claims;
  room: Room;
  catalog: Catalog;
  log: Logger;
};

export function createSandboxes(dependencies: Dependencies): Sandboxes {
  const { backend, instances, pool, claims, room, catalog, log } = dependencies;
  const held = new Map<string, Sandbox>();
  const claiming = new Map<string, Promise<Sandbox>>();
  /** Organisations by sandbox, of those that another executor has taken over lately. */
  const moved = new LRUCache<string, string>({ max: MAX_MOVED, ttl: MOVED_REMEMBERED_MS });
  let making = 0;
  const ofInstance = (id: string) => [...held.values()].find(({ instance }) => instance.id === id);

  const bind = async (instance: Instance, spec: CheckedSpec): Promise<Claim> => {
    const { sandboxId, organizationId, template, limits, expireTime } = spec;
    const claim = { sandboxId, organizationId, template, limits, expireTime: expireTime.getTime(), confirmed: false };
    await claims.write(instance.id, claim);
    const request = { sandboxId, environment: spec.environment };
    await instance.link.control.bind(request, { deadlineMs: AGENT_DEADLINE_MS });
    return claim;
  };

  const discard = async (instance: Instance): Promise<void> => {
    await instances.destroy(instance);
    await claims.remove(instance.id);
  };

  /** One that nobody has had: where it cannot be ended now, it is nobody's. */
  const giveUp = async (instance: Instance): Promise<void> => {
    await instances.abandon(instance);
    await claims.remove(instance.id);
  };

  /** One that fails to take its owner is given up and the next one tried. */
  const claimWarm = async (template: Template, spec: CheckedSpec): Promise<Claimed | undefined> => {
    const same = sameLimits(template.limits, spec.limits);
    if (!fitsWarm(template, spec.limits) || (!same && !backend.capabilities.changesLimits)) return undefined;
    const next = () => pool().take(template.id, 'sandbox', spec.tenant);
    for (let instance = next(); instance; instance = next()) {
      const { id } = instance;
      try {
        if (!same && !(await backend.setLimits(id, spec.limits))) throw new Error('it uses more memory than that');
        return { instance, claim: await bind(instance, spec), warm: true };
      } catch (error) {
        log.warn({ err: error, instanceId: id }, 'warm sandbox could not be claimed');
        giveUp(instance).catch((cause) => log.warn({ err: cause, instanceId: id }, 'claim not removed'));
        // The next one would fare no better.
        if (hasReason(error, 'NO_CAPACITY') || (!same && hasReason(error, 'SERVICE_UNAVAILABLE'))) return undefined;
      }
    }
    return undefined;
  };

  const claimCold = async (template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Claimed> => {
    making++;
    try {
      const { limits, tenant } = spec;
      const instance = await instances.create({ template, limits, purpose: 'sandbox', tenant }, signal);
      const claim = await bind(instance, spec).catch(async (cause) => {
        await giveUp(instance);
        throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended while it was claimed', { cause });
      });
      return { instance, claim, warm: false };
    } finally {
      making--;
    }
  };

  const claimOnce = async (spec: CheckedSpec, signal: AbortSignal): Promise<Sandbox> => {
    const template = catalog.templates.get(spec.template);
    if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${spec.template}`);
    const started = performance.now();
    const place = await room.take(spec.limits.memoryBytes);
    try {
      const found = (await claimWarm(template, spec)) ?? (await claimCold(template, spec, signal));
      const sandbox = toSandbox(found, place);
      held.set(spec.sandboxId, sandbox);
      const warmth = sandbox.warm ? 'warm' : 'cold';
      claimed.inc({ template: template.id, warmth });
      claimTime.observe({ warmth }, (performance.now() - started) / 1000);
      return sandbox;
    } catch (error) {
      place[Symbol.dispose]();
      throw error;
    }
  };

  const remove = (sandbox: Sandbox, error: DrydockError): Promise<void> => {
    sandbox.ended.abort(error);
    const removeOnce = async () => {
      try {
        await discard(sandbox.instance);
        held.delete(sandbox.sandboxId);
        sandbox.place[Symbol.dispose]();
      } finally {
        sandbox.removal = undefined;
      }
    };
    sandbox.removal ??= removeOnce();
    return sandbox.removal;
  };

  return {
    async claim(unchecked, signal) {
      const spec = checkSpec(unchecked);
      const existing = held.get(spec.sandboxId);
      if (existing?.ended.signal.aborted) throw existing.ended.signal.reason;
      if (existing) return existing;
      const underWay = claiming.get(spec.sandboxId);
      if (underWay) return underWay;
      const claim = claimOnce(spec, signal).finally(() => claiming.delete(spec.sandboxId));
      claiming.set(spec.sandboxId, claim);
      return claim;
    },
    get(sandboxId, organizationId) {
      if (moved.get(sandboxId) === organizationId) throw takenOver();
      const sandbox = held.get(sandboxId);
      if (sandbox?.organizationId !== organizationId || sandbox.ended.signal.aborted)
        throw new DrydockError('SANDBOX_NOT_FOUND', 'no such sandbox');
      return sandbox;
    },
    async confirm(sandbox) {
      sandbox.confirmed = true;
      await claims.write(sandbox.instance.id, claimOf(sandbox));
    },
    async extend(sandbox, expireTime) {
      sandbox.expireTime = expireTime.getTime();
      await claims.write(sandbox.instance.id, claimOf(sandbox));
    },
    async destroy(sandboxId) {
      // A claim whose caller gave up may still be under way, and would live until its confirmation is overdue.
      await claiming.get(sandboxId)?.catch(() => {});
      const sandbox = held.get(sandboxId);
      if (sandbox) await remove(sandbox, new DrydockError('SANDBOX_STOPPED', 'the sandbox was stopped'));
    },
    adopt(instance, claim) {
      moved.delete(claim.sandboxId);
      const place = room.occupy(claim.limits.memoryBytes);
      held.set(claim.sandboxId, toSandbox({ instance, claim, warm: false }, place));
    },
    async instanceEnded(instanceId, reason) {
      const sandbox = ofInstance(instanceId);
      if (!sandbox || sandbox.ended.signal.aborted) return undefined;
      await remove(sandbox, stoppedBy(reason)).catch((cause) =>
        log.warn({ err: cause, instanceId }, 'ended sandbox not removed yet'),
      );
      return sandbox;
    },
    list: () => [...held.values()],
    async takenOver(instanceId) {
      const sandbox = ofInstance(instanceId);
      if (!sandbox) return;
      held.delete(sandbox.sandboxId);
      moved.set(sandbox.sandboxId, sandbox.organizationId);
      sandbox.place[Symbol.dispose]();
      sandbox.ended.abort(takenOver());
      await instances.release(sandbox.instance);
      await claims.remove(instanceId);
    },
    isMaking: () => making > 0,
    overdue: (now) =>
      [...held.values()].filter(
        ({ expireTime, confirmed, claimedAt, ended, removal }) =>
          !removal && (ended.signal.aborted || now >= expireTime || (!confirmed && now - claimedAt > UNCONFIRMED_MS)),
      ),
    async release() {
      await Promise.all([...held.values()].map(({ instance }) => instance.link[Symbol.asyncDispose]()));
      held.clear();
    },
  };
}

type CheckedSpec = Omit<SandboxSpec, 'limits' | 'expireTime' | 'tenancy'> & {
  limits: SandboxLimits;
  expireTime: Date;
  tenant: Tenant;
};

/** Session completes every spec; one that is not complete is a defect and never means "unlimited". */
function checkSpec(spec: SandboxSpec): CheckedSpec {
  const { limits, expireTime } = spec;
  if (!limits || !expireTime || !spec.sandboxId || !spec.organizationId)
    throw new DrydockError('INTERNAL', 'a sandbox spec came incomplete');
  const { memoryBytes, processes, diskBytes, cpus } = limits;
  return { ...spec, limits: { memoryBytes, processes, diskBytes, cpus }, expireTime, tenant: tenantOf(spec) };
}

/** A warm instance has its disk already, and its memory must hold that disk whole beside the agent. */
function fitsWarm({ limits: made }: Template, wanted: SandboxLimits): boolean {
  const { home, tmp, shm } = fileSystemSizes(made);
  return wanted.diskBytes === made.diskBytes && wanted.memoryBytes >= home + tmp + shm + AGENT_HEADROOM_BYTES;
}

type Claimed = { instance: Instance; claim: Claim; warm: boolean };

function toSandbox({ instance, claim, warm }: Claimed, place: Place): Sandbox {
  return { ...claim, instance, place, warm, claimedAt: Date.now(), ended: new AbortController(), removal: undefined };
}

const WHY: Record<EndedReason, string> = {
  OUT_OF_MEMORY: 'it ran out of memory',
  EXITED: 'it ended by itself',
  EVICTED: 'its host needed the room',
  HOST_LOST: 'its host was lost',
};

/** What calls get to hear when an instance ended by itself. */
export function stoppedBy(stopReason: EndedReason): DrydockError {
  return new DrydockError('SANDBOX_STOPPED', `the sandbox stopped: ${WHY[stopReason]}`, { metadata: { stopReason } });
}

function claimOf({ sandboxId, organizationId, template, limits, expireTime, confirmed }: Sandbox): Claim {
  return { sandboxId, organizationId, template, limits, expireTime, confirmed };
}
