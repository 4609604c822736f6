import { EventEmitter } from 'node:events';
import { setTimeout as pause } from 'node:timers/promises';
import { type CoordinationV1Api, type V1Lease, V1MicroTime } from '@kubernetes/client-node';
import { every } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import type { Estate } from '../backend.ts';
import { hasCode } from './api-errors.ts';
import { EXECUTOR_LABEL } from './pod.ts';

const RENEW_MS = 2_000;
// What nobody has renewed between so many looks in a row is nobody's. Looks that fail do not count: then nobody can renew.
const SILENT_LOOKS = 4;
const LEASE_SECONDS = (RENEW_MS * SILENT_LOOKS) / 1000;

/** The executors of one cluster, each with a Lease as long as it is alive. Disposing leaves, if nothing is left to inherit. */
export type Peers = AsyncDisposable & {
  /** Takes the leases of those that are gone, as far as no other has; answers whose they were. Also those taken before. */
  inherit(): Promise<Estate[]>;
  /** Hears that there is something to inherit, again until it is settled. */
  onGone(listener: () => void): Disposable;
};

export type PeersOptions = {
  api: CoordinationV1Api;
  namespace: string;
  executorId: string;
  /** This one leaves nothing behind. */
  isEmpty: () => boolean;
  log: Logger;
};

/** Joins them; waits until nobody is taking over what an earlier process of this executor left. */
export async function joinPeers(options: PeersOptions): Promise<Peers> {
  const { api, namespace, executorId, isEmpty, log } = options;
  const own = nameOf(executorId);
  const silence = followSilence();
  const news = new EventEmitter<{ gone: [] }>();
  let silent: V1Lease[] = [];

  const create = () =>
    api.createNamespacedLease({
      namespace,
      body: { metadata: { name: own, labels: { [EXECUTOR_LABEL]: executorId } }, spec: heldBy(executorId) },
    });
  /** False where somebody else was faster. */
  const hold = async (lease: V1Lease): Promise<boolean> => {
    const body = { ...lease, spec: heldBy(executorId, lease) };
    try {
      await api.replaceNamespacedLease({ namespace, name: lease.metadata?.name ?? '', body });
      return true;
    } catch (error) {
      if (hasCode(error, 404, 409)) return false;
      throw error;
    }
  };
  const remove = async (name: string): Promise<void> => {
    await api.deleteNamespacedLease({ namespace, name }).catch((error) => {
      if (!hasCode(error, 404)) throw error;
    });
  };
  const listAll = async () => (await api.listNamespacedLease({ namespace, labelSelector: EXECUTOR_LABEL })).items;

  const join = async (): Promise<void> => {
    for (;;) {
      const lease = (await listAll()).find(({ metadata }) => metadata?.name === own);
      if (!lease) return void (await create());
      if ((isHeldBy(lease, executorId) || silence.look(lease)) && (await hold(lease))) return;
      await pause(RENEW_MS);
    }
  };

  const renew = async (): Promise<void> => {
    const leases = await listAll().catch((error) => {
      silence.forgetAll();
      throw error;
    });
    silence.keepOnly(leases);
    const held = leases.filter((lease) => isHeldBy(lease, executorId));
    silent = leases.filter((lease) => !held.includes(lease) && silence.look(lease));
    await Promise.all(held.map(hold));
    if (!leases.some(({ metadata }) => metadata?.name === own)) {
      log.warn('this executor was taken for gone');
      await create();
    }
    if (silent.length > 0 || held.some((lease) => ownerOf(lease) !== executorId)) news.emit('gone');
  };

  await join();
  const renewal = every(RENEW_MS, log, renew);
  return {
    async inherit() {
      for (const lease of silent.splice(0))
        if (await hold(lease)) log.warn({ gone: ownerOf(lease) }, 'executor is gone; taking over');
      const held = (await listAll()).filter((lease) => isHeldBy(lease, executorId) && ownerOf(lease) !== executorId);
      return held.map((lease) => {
        const gone = ownerOf(lease);
        return { executorId: gone, lostTime: lostTimeOf(lease), settled: () => remove(nameOf(gone)) };
      });
    },
    onGone(listener) {
      news.on('gone', listener);
      return { [Symbol.dispose]: () => void news.off('gone', listener) };
    },
    async [Symbol.asyncDispose]() {
      await renewal[Symbol.asyncDispose]();
      if (isEmpty()) await remove(own).catch((error) => log.warn({ err: error }, 'lease of this executor not removed'));
    },
  };
}

/** Tells which leases have not changed for a while. */
function followSilence() {
  const seen = new Map<string, { version: string | undefined; looks: number }>();
  return {
    /** Looks at one again; whether nobody has renewed it for so many looks. */
    look({ metadata }: V1Lease): boolean {
      const name = metadata?.name ?? '';
      const before = seen.get(name);
      const looks = before?.version === metadata?.resourceVersion ? (before?.looks ?? 0) + 1 : 0;
      seen.set(name, { version: metadata?.resourceVersion, looks });
      return looks >= SILENT_LOOKS;
    },
    keepOnly(leases: V1Lease[]): void {
      const names = new Set(leases.map(({ metadata }) => metadata?.name));
      for (const name of seen.keys()) if (!names.has(name)) seen.delete(name);
    },
    forgetAll: () => seen.clear(),
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

/** Between its last sign and the next process of the same id, so that clocks may differ by as much. */
function lostTimeOf({ spec }: V1Lease): Date {
  // The library leaves it as the text that it was.
  const takenOver = new Date(spec?.acquireTime ?? 0);
  return new Date(takenOver.getTime() - (LEASE_SECONDS * 1000) / 2);
}

const isHeldBy = ({ spec }: V1Lease, executorId: string) => spec?.holderIdentity === executorId;

const ownerOf = ({ metadata }: V1Lease) => metadata?.labels?.[EXECUTOR_LABEL] ?? '';

/** A name that a cluster takes; the label has the id as it is. */
function nameOf(executorId: string): string {
  return `executor-${executorId.toLowerCase().replace(/[^a-z0-9.-]/g, '-')}`;
}
