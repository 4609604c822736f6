import { LRUCache } from 'lru-cache';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter, durationHistogram } from '#libs/telemetry.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { type Backend, type EndedReason, takenOver } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import { eachOf } from '../backends/each-of.ts';
import type { Place, Room } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import { type CheckedSpec, type Claimed, checkSpec, createClaiming } from './claiming.ts';
import type { Claims } from './claims.ts';

const UNCONFIRMED_MS = 30_000;
// Until session has long known where those are that another executor has taken over.
const MOVED_REMEMBERED_MS = 60_000;
const MAX_MOVED = 10_000;

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
  /** Its claim as it is, where what is written down is behind. */
  unwritten: Claim | undefined;
  /** Set while it is being removed. */
  removal: Promise<void> | undefined;
};

export type Sandboxes = {
  /** Takes a warm instance or makes one, and binds it. Idempotent by sandbox id. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
  claim(spec: SandboxSpec, signal: AbortSignal): Promise<Sandbox>;
  /** A sandbox of an organisation. Errors: SANDBOX_NOT_FOUND, also where it is another's; SERVICE_UNAVAILABLE where it moved. */
  get(sandboxId: string, organizationId: string): Sandbox;
  /** It is on record as running. Where that cannot be written down, it counts all the same, and is written down later. */
  confirm(sandbox: Sandbox): Promise<void>;
  /** Moves its deadline; else as `confirm`. */
  extend(sandbox: Sandbox, expireTime: Date): Promise<void>;
  /** Writes down what could not be written before. */
  writeAgain(): Promise<void>;
  /** Ends a sandbox. Succeeds when there is none. */
  destroy(sandboxId: string): Promise<void>;
  /** Takes over what an earlier process left. */
  adopt(instance: Instance, claim: Claim): Promise<void>;
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
  const binding = createClaiming({ backend, instances, pool, claims, log });
  const ofInstance = (id: string) => [...held.values()].find(({ instance }) => instance.id === id);

  /** Where it fails, `writeAgain` goes on with it: what is not written is lost with this process. */
  const write = async (sandbox: Sandbox): Promise<void> => {
    const claim = claimOf(sandbox);
    sandbox.unwritten = claim;
    await claims.write(sandbox.instance.id, claim);
    if (sandbox.unwritten === claim) sandbox.unwritten = undefined;
  };

  const discard = async (instance: Instance): Promise<void> => {
    await instances.destroy(instance);
    await claims.remove(instance.id);
  };

  const claimOnce = async (spec: CheckedSpec, signal: AbortSignal): Promise<Sandbox> => {
    const template = catalog.templates.get(spec.template);
    if (!template) throw new DrydockError('SANDBOX_START_FAILED', `this executor has no template ${spec.template}`);
    const started = performance.now();
    const place = await room.take(spec.limits.memoryBytes);
    try {
      const found = await binding.claim(template, spec, signal);
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
      await write(sandbox);
    },
    async extend(sandbox, expireTime) {
      sandbox.expireTime = expireTime.getTime();
      await write(sandbox);
    },
    writeAgain: () =>
      eachOf(
        [...held.values()].filter(({ unwritten, ended }) => unwritten && !ended.signal.aborted),
        write,
      ),
    async destroy(sandboxId) {
      // A claim whose caller gave up may still be under way, and would live until its confirmation is overdue.
      await claiming.get(sandboxId)?.catch(() => {});
      const sandbox = held.get(sandboxId);
      if (sandbox) await remove(sandbox, new DrydockError('SANDBOX_STOPPED', 'the sandbox was stopped'));
    },
    async adopt(instance, claim) {
      moved.delete(claim.sandboxId);
      const place = room.occupy(claim.limits.memoryBytes);
      const sandbox = toSandbox({ instance, claim, warm: false }, place);
      held.set(claim.sandboxId, sandbox);
      await write(sandbox).catch((error) =>
        log.error({ err: error, instanceId: instance.id }, 'claim of a sandbox that was taken over not written yet'),
      );
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
    isMaking: binding.isMaking,
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

function toSandbox({ instance, claim, warm }: Claimed, place: Place): Sandbox {
  return {
    ...claim,
    instance,
    place,
    warm,
    claimedAt: Date.now(),
    ended: new AbortController(),
    unwritten: undefined,
    removal: undefined,
  };
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
