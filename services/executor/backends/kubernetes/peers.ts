import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type CoordinationV1Api, type V1Lease, V1MicroTime } from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Takeover } from '../backend.ts';
import { hasCode } from './api-errors.ts';
import { EXECUTOR_LABEL } from './pod.ts';

const RENEW_MS = 2_000;
// A lease not renewed for this many successful polls has expired; failed polls do not count, since nobody can renew then.
const EXPIRED_POLLS = 4;
const LEASE_SECONDS = (RENEW_MS * EXPIRED_POLLS) / 1000;

/** The executors of one cluster, each with a Lease while it is alive. Disposing removes this one's Lease if it has no instances. */
export type Peers = AsyncDisposable & {
  /** When this executor's Lease was made: what it had before, another executor took over. */
  memberSince(): Date;
  /** Acquires the expired leases that no other executor has acquired first. Answers also those acquired before. */
  takeOver(): Promise<Takeover[]>;
  /** Calls the listener while there are leases to take over, again until their takeover is settled. */
  onExpired(listener: () => void): Disposable;
};

export type PeersOptions = {
  api: CoordinationV1Api;
  namespace: string;
  executorId: string;
  /** Whether this executor has no instances. */
  isEmpty: () => boolean;
  log: Logger;
};

type State = PeersOptions & {
  expiry: ReturnType<typeof followExpiry>;
  events: EventEmitter<{ expired: [] }>;
  expired: V1Lease[];
  memberSince: Date;
};

/** Creates or renews this executor's Lease; waits while another executor takes over from an earlier process of this id. */
export async function joinPeers(options: PeersOptions): Promise<Peers> {
  const { executorId, isEmpty, log } = options;
  const state: State = {
    ...options,
    expiry: followExpiry(),
    events: new EventEmitter(),
    expired: [],
    memberSince: new Date(),
  };
  await join(state);
  const renewal = every(RENEW_MS, log, () => renew(state));
  return {
    memberSince: () => state.memberSince,
    async takeOver() {
      for (const lease of state.expired.splice(0))
        if (await hold(state, lease)) log.warn({ lost: ownerOf(lease) }, 'taking over from a lost executor');
      const held = (await listLeases(state)).filter(
        (lease) => isHeldBy(lease, executorId) && ownerOf(lease) !== executorId,
      );
      return held.map((lease) => {
        const lost = ownerOf(lease);
        return { executorId: lost, lostTime: lostTimeOf(lease), settled: () => remove(state, nameOf(lost)) };
      });
    },
    onExpired(listener) {
      state.events.on('expired', listener);
      return { [Symbol.dispose]: () => void state.events.off('expired', listener) };
    },
    async [Symbol.asyncDispose]() {
      await renewal[Symbol.asyncDispose]();
      if (isEmpty())
        await remove(state, nameOf(executorId)).catch((error) =>
          log.warn({ err: error }, 'failed to remove the lease of this executor'),
        );
    },
  };
}

async function join(state: State): Promise<void> {
  const { executorId, expiry } = state;
  for (;;) {
    const lease = (await listLeases(state)).find(({ metadata }) => metadata?.name === nameOf(executorId));
    if (!lease) return create(state);
    if ((isHeldBy(lease, executorId) || expiry.poll(lease)) && (await hold(state, lease))) {
      state.memberSince = madeAt(lease);
      return;
    }
    await pause(RENEW_MS);
  }
}

async function renew(state: State): Promise<void> {
  const { executorId, expiry, events, log } = state;
  const leases = await listLeases(state).catch((error) => {
    expiry.reset();
    throw error;
  });
  expiry.keepOnly(leases);
  const held = leases.filter((lease) => isHeldBy(lease, executorId));
  state.expired = leases.filter((lease) => !held.includes(lease) && expiry.poll(lease));
  await Promise.all(held.map((lease) => hold(state, lease)));
  if (!leases.some(({ metadata }) => metadata?.name === nameOf(executorId))) {
    log.warn('the lease of this executor was removed: another executor took over; joining again');
    await create(state);
  }
  if (state.expired.length > 0 || held.some((lease) => ownerOf(lease) !== executorId)) events.emit('expired');
}

async function listLeases({ api, namespace }: State): Promise<V1Lease[]> {
  return (await api.listNamespacedLease({ namespace, labelSelector: EXECUTOR_LABEL })).items;
}

async function create(state: State): Promise<void> {
  const { api, namespace, executorId } = state;
  const metadata = { name: nameOf(executorId), labels: { [EXECUTOR_LABEL]: executorId } };
  state.memberSince = madeAt(
    await api.createNamespacedLease({ namespace, body: { metadata, spec: heldBy(executorId) } }),
  );
}

const madeAt = ({ metadata }: V1Lease) => new Date(metadata?.creationTimestamp ?? 0);

/** Acquires or renews a lease. False if another executor took it first. */
async function hold({ api, namespace, executorId }: State, lease: V1Lease): Promise<boolean> {
  const body = { ...lease, spec: heldBy(executorId, lease) };
  try {
    await api.replaceNamespacedLease({ namespace, name: lease.metadata?.name ?? '', body });
    return true;
  } catch (error) {
    if (hasCode(error, 404, 409)) return false;
    throw error;
  }
}

async function remove({ api, namespace }: State, name: string): Promise<void> {
  await api.deleteNamespacedLease({ namespace, name }).catch((error) => {
    if (!hasCode(error, 404)) throw error;
  });
}

/** Counts for each lease the polls since its last renewal. */
function followExpiry() {
  const seen = new Map<string, { version: string | undefined; polls: number }>();
  return {
    /** Records a poll of a lease, and answers whether it has expired. */
    poll({ metadata }: V1Lease): boolean {
      const name = metadata?.name ?? '';
      const before = seen.get(name);
      const polls = before?.version === metadata?.resourceVersion ? (before?.polls ?? 0) + 1 : 0;
      seen.set(name, { version: metadata?.resourceVersion, polls });
      return polls >= EXPIRED_POLLS;
    },
    keepOnly(leases: V1Lease[]): void {
      const names = new Set(leases.map(({ metadata }) => metadata?.name));
      for (const name of seen.keys()) if (!names.has(name)) seen.delete(name);
    },
    reset: () => seen.clear(),
  };
}

function heldBy(executorId: string, before?: V1Lease) {
  const now = new V1MicroTime();
  const isHeld = before && isHeldBy(before, executorId);
  return {
    holderIdentity: executorId,
    leaseDurationSeconds: LEASE_SECONDS,
    acquireTime: (isHeld && before.spec?.acquireTime) || now,
    renewTime: now,
  };
}

/** Halfway between the last renewal and the takeover, so that clocks may differ by half the lease. */
function lostTimeOf({ spec }: V1Lease): Date {
  // The library does not parse this time.
  const takenOver = new Date(spec?.acquireTime ?? 0);
  return new Date(takenOver.getTime() - (LEASE_SECONDS * 1000) / 2);
}

const isHeldBy = ({ spec }: V1Lease, executorId: string) => spec?.holderIdentity === executorId;

const ownerOf = ({ metadata }: V1Lease) => metadata?.labels?.[EXECUTOR_LABEL] ?? '';

/** A valid name of a Kubernetes object; the label has the id unchanged. */
function nameOf(executorId: string): string {
  return `executor-${executorId.toLowerCase().replace(/[^a-z0-9.-]/g, '-')}`;
}
