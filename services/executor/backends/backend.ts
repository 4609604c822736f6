import type { Duplex } from 'node:stream';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Claim } from './claim.ts';
import type { Tenant } from './tenant.ts';

/** An instance runs either the processes of a sandbox, or cells and nothing else. */
export type Purpose = 'sandbox' | 'cells';

/** PATH of every instance. */
export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** An instance to create. */
export type InstancePlan = {
  /** `ins_…`; its only name at the backend. */
  instanceId: string;
  purpose: Purpose;
  /** The organisation that it is reserved for, isolated from others if the backend can; null if any may claim it. */
  tenant: Tenant | null;
  template: string;
  image: string;
  limits: SandboxLimits;
  writableRoot: boolean;
  /** Runtime class; null for the backend's default. */
  runtime: string | null;
};

export type EndedReason = 'OUT_OF_MEMORY' | 'EXITED' | 'EVICTED' | 'HOST_LOST';

/** Abilities that differ between backends. Callers check them first. */
export type Capabilities = {
  /** Instances can host cells. */
  readonly hostsCells: boolean;
  /** `setLimits` works. Without it an instance keeps the limits that it was created with. */
  readonly changesLimits: boolean;
  /** `measurePeak` works. Without it a peak covers the whole life of an instance. */
  readonly measuresPeak: boolean;
  /** Instances share one host, so that a creation takes CPU time from all that run. */
  readonly isOneHost: boolean;
};

/** Measures the peak of memory from its creation on. Disposing ends the measurement. */
export type PeakMemory = AsyncDisposable & {
  /** Bytes; undefined if the instance has ended. */
  read(): Promise<number | undefined>;
};

const TAKEN_OVER_RETRY_MS = 1_000;

/** The error of calls for a sandbox that another executor has taken over. Session soon learns which one. */
export function takenOver(): DrydockError {
  return new DrydockError('SERVICE_UNAVAILABLE', 'another executor has taken the sandbox over; try again', {
    retryAfterMs: TAKEN_OVER_RETRY_MS,
  });
}

/** Callbacks for events that the backend raises on its own. */
export type Watcher = {
  /** An instance ended without `destroy`. May be called twice for one instance. */
  ended(instanceId: string, reason: EndedReason): void;
  /**
   * Another executor has taken an instance over. If the claim was not yet on the instance, the other executor destroys it, and
   * `ended` follows.
   */
  takenOver(instanceId: string): void;
  /** Events may have been missed, or another executor was lost: reconcile. */
  changed(): void;
};

/** The instances of a lost executor, now owned by this one. */
export type Takeover = {
  /** The lost executor. */
  executorId: string;
  /** When that executor was certainly lost, and no process of the same id can have started yet. */
  lostTime: Date;
  /** Completes the takeover. Until then it is repeated, also after a restart. */
  settled(): Promise<void>;
};

/** The abilities of a backend whose instances outlive the executor and its host, and which several executors share. */
export type Cluster = {
  /** Stable id of the cluster. */
  readonly id: string;
  /**
   * Writes the claim on its instance as well, so that it outlives this executor's files. Returns at once, and retries until it is
   * written or the instance has ended.
   */
  note(instanceId: string, claim: Claim): void;
  /** Since when no other executor has taken over from this one, by the cluster's clock. */
  memberSince(): Date;
  /** Takes the instances of lost executors over; `list` contains them from then on. */
  takeOver(): Promise<Takeover[]>;
  /** Removes everything kept for a deleted organisation, with the instances reserved for it. */
  forget(organizationId: string): Promise<void>;
  /** Addresses (`ip:port`) that an instance must be unable to reach before a tenant gets it. */
  forbiddenAddresses(instanceId: string): string[];
};

/**
 * Runs instances: isolated machines, each with the agent as its first process. A sandbox is an instance with a claim. Labels are
 * the backend's only memory. Every method except `create` is idempotent. Disposing leaves instances running.
 */
export interface Backend extends AsyncDisposable {
  readonly capabilities: Capabilities;
  /** Absent if instances end with the host of this executor. */
  readonly cluster?: Cluster;
  /**
   * Delivers a stream to an instance's agent, and a new one whenever the last ends, until disposed. Call it before `create`.
   */
  link(instanceId: string, accept: (stream: Duplex) => void): Promise<AsyncDisposable>;
  /**
   * Creates and starts an instance, whose agent connects soon after. Call it once for each id. Errors: SANDBOX_START_FAILED or
   * NO_CAPACITY, and nothing is left of the instance.
   */
  create(plan: InstancePlan, signal: AbortSignal): Promise<void>;
  /**
   * Destroys an instance with everything in it. Succeeds if there is none. Errors: SERVICE_UNAVAILABLE if another executor has
   * taken it over; the watcher is notified first.
   */
  destroy(instanceId: string): Promise<void>;
  /** Every instance of this executor, also of its earlier processes, with the claim written on it, if any. */
  list(): Promise<{ instanceId: string; running: boolean; note?: string | undefined }[]>;
  /**
   * Changes the limits of a running instance, except its disk. False if it uses more memory than the new limit; some of the other
   * limits may have changed then.
   */
  setLimits(instanceId: string, limits: SandboxLimits): Promise<boolean>;
  /** Begins to measure the peak of memory. Undefined if the backend cannot. */
  measurePeak(instanceId: string): Promise<PeakMemory | undefined>;
  /** The digest of the image that an instance was made from. Undefined if it is not known. */
  imageOf(instanceId: string): Promise<string | undefined>;
  /** Calls the watcher until disposed. */
  watch(watcher: Watcher): AsyncDisposable;
  /** Resolves when the backend answers. */
  ping(): Promise<void>;
}
