import type { Catalog, SandboxLimits, Template } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter, durationHistogram } from '#libs/telemetry.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Backend, EndedReason } from './backend.ts';
import type { Claim, Claims } from './claims.ts';
import { fileSystemSizes } from './file-systems.ts';
import type { Instance, Instances } from './instances.ts';
import type { Pool } from './pool.ts';

const UNCONFIRMED_MS = 30_000;
const AGENT_DEADLINE_MS = 5_000;
const AGENT_HEADROOM_BYTES = 32 * 1024 * 1024;
const RETRY_AFTER_MS = 1_000;

const claimed = counter('executor_claims_total', 'Sandboxes given out.', ['template', 'warmth']);
const claimTime = durationHistogram('executor_claim_seconds', 'From a claim to a sandbox that can be used.', [
  'warmth',
]);

/** A sandbox of an organisation. */
export type Sandbox = Claim & {
  instance: Instance;
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
  /** A sandbox of an organisation. Errors: SANDBOX_NOT_FOUND, also where it is another's. */
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
  /** Whether another sandbox with so much memory fits. */
  hasRoom(memoryBytes: number): boolean;
  freeMemoryBytes(): number;
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
  catalog: Catalog;
  maxSandboxes: number;
  memoryBytes: number;
  log: Logger;
};

export function createSandboxes(dependencies: Dependencies): Sandboxes {
  const { backend, instances, pool, claims, catalog, log } = dependencies;
  const held = new Map<string, Sandbox>();
  const claiming = new Map<string, Promise<Sandbox>>();
  let claimingMemory = 0;
  let making = 0;

  const usedMemory = () => [...held.values()].reduce((sum, { limits }) => sum + limits.memoryBytes, claimingMemory);
  const freeMemoryBytes = () => dependencies.memoryBytes - usedMemory();
  const hasRoom = (memoryBytes: number) =>
    held.size + claiming.size < dependencies.maxSandboxes && freeMemoryBytes() >= memoryBytes;

  const bind = async (instance: Instance, spec: CheckedSpec, warm: boolean): Promise<Sandbox> => {
    const { sandboxId, organizationId, template, limits, expireTime } = spec;
    const claim = { sandboxId, organizationId, template, limits, expireTime: expireTime.getTime(), confirmed: false };
    await claims.write(instance.id, claim);
    const request = { sandboxId, environment: spec.environment };
    await instance.link.control.bind(request, { deadlineMs: AGENT_DEADLINE_MS });
    return toSandbox(instance, claim, warm);
  };

  const discard = async (instance: Instance): Promise<void> => {
    await instances.destroy(instance);
    await claims.remove(instance.id);
  };

  /** One that fails to take its owner is destroyed and the next one tried. */
  const claimWarm = async (template: Template, spec: CheckedSpec): Promise<Sandbox | undefined> => {
    const same = sameLimits(template.limits, spec.limits);
    if (!fitsWarm(template, spec.limits) || (!same && !backend.capabilities.changesLimits)) return undefined;
    for (let instance = pool().take(template.id); instance; instance = pool().take(template.id)) {
      const { id } = instance;
      try {
        if (!same) await backend.setLimits(id, spec.limits);
        return await bind(instance, spec, true);
      } catch (error) {
        log.warn({ err: error, instanceId: id }, 'warm sandbox could not be claimed');
        discard(instance).catch((cause) => log.warn({ err: cause, instanceId: id }, 'not destroyed yet'));
      }
    }
    return undefined;
  };

  const claimCold = async (template: Template, spec: CheckedSpec, signal: AbortSignal): Promise<Sandbox> => {
    making++;
    try {
      const instance = await instances.create(template, spec.limits, signal);
      return await bind(instance, spec, false).catch(async (cause) => {
        await discard(instance);
        throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended while it was claimed', { cause });
      });
    } finally {
      making--;
    }
  };

  const claimOnce = async (spec: CheckedSpec, signal: AbortSignal): Promise<Sandbox> => {
    const template = catalog.templates.get(spec.template);
    if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${spec.template}`);
    const started = performance.now();
    claimingMemory += spec.limits.memoryBytes;
    try {
      const sandbox = (await claimWarm(template, spec)) ?? (await claimCold(template, spec, signal));
      held.set(spec.sandboxId, sandbox);
      const warmth = sandbox.warm ? 'warm' : 'cold';
      claimed.inc({ template: template.id, warmth });
      claimTime.observe({ warmth }, (performance.now() - started) / 1000);
      return sandbox;
    } finally {
      claimingMemory -= spec.limits.memoryBytes;
    }
  };

  const remove = (sandbox: Sandbox, error: DrydockError): Promise<void> => {
    sandbox.ended.abort(error);
    const removeOnce = async () => {
      try {
        await discard(sandbox.instance);
        held.delete(sandbox.sandboxId);
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
      if (!hasRoom(spec.limits.memoryBytes))
        throw new DrydockError('NO_CAPACITY', 'this executor is full', { retryAfterMs: RETRY_AFTER_MS });
      const claim = claimOnce(spec, signal).finally(() => claiming.delete(spec.sandboxId));
      claiming.set(spec.sandboxId, claim);
      return claim;
    },
    get(sandboxId, organizationId) {
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
      held.set(claim.sandboxId, toSandbox(instance, claim, false));
    },
    async instanceEnded(instanceId, reason) {
      const sandbox = [...held.values()].find(({ instance }) => instance.id === instanceId);
      if (!sandbox || sandbox.ended.signal.aborted) return undefined;
      const why = reason === 'OUT_OF_MEMORY' ? 'it ran out of memory' : 'it ended by itself';
      const error = new DrydockError('SANDBOX_STOPPED', `the sandbox stopped: ${why}`, {
        metadata: { stopReason: reason },
      });
      await remove(sandbox, error).catch((cause) =>
        log.warn({ err: cause, instanceId }, 'ended sandbox not removed yet'),
      );
      return sandbox;
    },
    list: () => [...held.values()],
    hasRoom,
    freeMemoryBytes,
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

type CheckedSpec = Omit<SandboxSpec, 'limits' | 'expireTime'> & { limits: SandboxLimits; expireTime: Date };

/** Session completes every spec; one that is not complete is a defect and never means "unlimited". */
function checkSpec(spec: SandboxSpec): CheckedSpec {
  const { limits, expireTime } = spec;
  if (!limits || !expireTime || !spec.sandboxId || !spec.organizationId)
    throw new DrydockError('INTERNAL', 'a sandbox spec came incomplete');
  const { memoryBytes, processes, diskBytes, cpus } = limits;
  return { ...spec, limits: { memoryBytes, processes, diskBytes, cpus }, expireTime };
}

/** A warm instance has its disk already, and its memory must hold that disk whole beside the agent. */
function fitsWarm({ limits: made }: Template, wanted: SandboxLimits): boolean {
  const { home, tmp, shm } = fileSystemSizes(made);
  return wanted.diskBytes === made.diskBytes && wanted.memoryBytes >= home + tmp + shm + AGENT_HEADROOM_BYTES;
}

function sameLimits(a: SandboxLimits, b: SandboxLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.processes === b.processes && a.cpus === b.cpus;
}

function toSandbox(instance: Instance, claim: Claim, warm: boolean): Sandbox {
  return { ...claim, instance, warm, claimedAt: Date.now(), ended: new AbortController(), removal: undefined };
}

function claimOf({ sandboxId, organizationId, template, limits, expireTime, confirmed }: Sandbox): Claim {
  return { sandboxId, organizationId, template, limits, expireTime, confirmed };
}
