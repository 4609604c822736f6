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
const claimTime = durationHistogram('executor_claim_seconds', 'From a claim to a sandbox that can be used.', ['warmth']);

/** A sandbox of an organisation. */
export type Sandbox = Claim & {
  instance: Instance;
  claimedAt: number;
  /** Aborted when it ends, with the error that its calls get. */
  ended: AbortController;
};

export type Sandboxes = {
  /** Takes a warm instance or makes one, and binds it. Idempotent by sandbox id. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(spec: SandboxSpec, signal: AbortSignal): Promise<{ sandbox: Sandbox; warm: boolean }>;
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
  /** Sandboxes whose time is over, or whose claim nobody confirmed. */
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
  const claiming = new Map<string, Promise<{ sandbox: Sandbox; warm: boolean }>>();
  let startingMemory = 0;

  const usedMemory = () => [...held.values()].reduce((sum, { limits }) => sum + limits.memoryBytes, startingMemory);
  const freeMemoryBytes = () => dependencies.memoryBytes - usedMemory();
  const hasRoom = (memoryBytes: number) =>
    held.size + claiming.size < dependencies.maxSandboxes && freeMemoryBytes() >= memoryBytes;

  const take = async (template: Template, limits: SandboxLimits, signal: AbortSignal) => {
    const instance = fitsWarm(template, limits) ? pool().take(template.id) : undefined;
    if (!instance) return { instance: await instances.create(template, limits, signal), warm: false };
    if (!sameLimits(instance.limits, limits)) await backend.setLimits(instance.id, limits);
    return { instance, warm: true };
  };

  const bind = async (instance: Instance, spec: SandboxSpec, limits: SandboxLimits): Promise<Sandbox> => {
    const claim: Claim = {
      sandboxId: spec.sandboxId,
      organizationId: spec.organizationId,
      template: spec.template,
      limits,
      expireTime: spec.expireTime?.getTime() ?? 0,
      confirmed: false,
    };
    await claims.write(instance.id, claim);
    const request = { sandboxId: spec.sandboxId, environment: spec.environment };
    await instance.link.control.bind(request, { deadlineMs: AGENT_DEADLINE_MS });
    return { ...claim, instance, claimedAt: Date.now(), ended: new AbortController() };
  };

  const claimOnce = async (spec: SandboxSpec, signal: AbortSignal): Promise<{ sandbox: Sandbox; warm: boolean }> => {
    const template = catalog.templates.get(spec.template);
    if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${spec.template}`);
    const limits = limitsOf(spec);
    const started = performance.now();
    startingMemory += limits.memoryBytes;
    try {
      const { instance, warm } = await take(template, limits, signal);
      const sandbox = await bind(instance, spec, limits).catch(async (error) => {
        await instances.destroy(instance);
        throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended while it was claimed', { cause: error });
      });
      held.set(spec.sandboxId, sandbox);
      const warmth = warm ? 'warm' : 'cold';
      claimed.inc({ template: template.id, warmth });
      claimTime.observe({ warmth }, (performance.now() - started) / 1000);
      return { sandbox, warm };
    } finally {
      startingMemory -= limits.memoryBytes;
    }
  };

  const remove = async (sandbox: Sandbox, error: DrydockError): Promise<void> => {
    sandbox.ended.abort(error);
    await instances.destroy(sandbox.instance);
    await claims.remove(sandbox.instance.id);
    held.delete(sandbox.sandboxId);
  };

  return {
    async claim(spec, signal) {
      const existing = held.get(spec.sandboxId);
      if (existing) return { sandbox: existing, warm: true };
      const underWay = claiming.get(spec.sandboxId);
      if (underWay) return underWay;
      if (!hasRoom(spec.limits?.memoryBytes ?? 0))
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
      const sandbox = held.get(sandboxId);
      if (sandbox) await remove(sandbox, new DrydockError('SANDBOX_STOPPED', 'the sandbox was stopped'));
    },
    adopt(instance, claim) {
      held.set(claim.sandboxId, { ...claim, instance, claimedAt: Date.now(), ended: new AbortController() });
    },
    async instanceEnded(instanceId, reason) {
      const sandbox = [...held.values()].find(({ instance }) => instance.id === instanceId);
      if (!sandbox || sandbox.ended.signal.aborted) return undefined;
      const why = reason === 'OUT_OF_MEMORY' ? 'it ran out of memory' : 'it ended by itself';
      const error = new DrydockError('SANDBOX_STOPPED', `the sandbox stopped: ${why}`, { metadata: { stopReason: reason } });
      await remove(sandbox, error).catch((cause) => log.warn({ err: cause, instanceId }, 'ended sandbox not removed yet'));
      return sandbox;
    },
    list: () => [...held.values()],
    hasRoom,
    freeMemoryBytes,
    overdue: (now) =>
      [...held.values()].filter(
        ({ expireTime, confirmed, claimedAt }) => now >= expireTime || (!confirmed && now - claimedAt > UNCONFIRMED_MS),
      ),
    async release() {
      await Promise.all([...held.values()].map(({ instance }) => instance.link[Symbol.asyncDispose]()));
      held.clear();
    },
  };
}

/** The limits of a sandbox, from those of a checked spec. */
export function limitsOf({ limits }: SandboxSpec): SandboxLimits {
  if (!limits) throw new DrydockError('INTERNAL', 'a spec came without limits');
  const { memoryBytes, processes, diskBytes, cpus } = limits;
  return { memoryBytes, processes, diskBytes, cpus };
}

/** A warm instance has its disk already, and its memory must hold that disk whole beside the agent. */
function fitsWarm({ limits: made }: Template, wanted: SandboxLimits): boolean {
  const { home, tmp, shm } = fileSystemSizes(made);
  return wanted.diskBytes === made.diskBytes && wanted.memoryBytes >= home + tmp + shm + AGENT_HEADROOM_BYTES;
}

function sameLimits(a: SandboxLimits, b: SandboxLimits): boolean {
  return a.memoryBytes === b.memoryBytes && a.processes === b.processes && a.cpus === b.cpus;
}

function claimOf({ sandboxId, organizationId, template, limits, expireTime, confirmed }: Sandbox): Claim {
  return { sandboxId, organizationId, template, limits, expireTime, confirmed };
}
