import type { Duplex } from 'node:stream';
import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Claim } from './claim.ts';
import type { Tenant } from './tenant.ts';

/** What an instance is for: it runs either processes, or cells and nothing else. */
export type Purpose = 'sandbox' | 'cells';

/** Where programs are looked for in every instance. */
export const SEARCH_PATH = '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

/** What an instance is made of. */
export type InstancePlan = {
  /** `ins_…`; its only name at the backend. */
  instanceId: string;
  purpose: Purpose;
  /** Whom it is made for, and apart from others' where the backend can; null for whoever claims it. */
  tenant: Tenant | null;
  template: string;
  image: string;
  limits: SandboxLimits;
  writableRoot: boolean;
  /** Runtime class, null for the backend's default. */
  runtime: string | null;
};

export type EndedReason = 'OUT_OF_MEMORY' | 'EXITED' | 'EVICTED' | 'HOST_LOST';

/** What not every backend can do. Callers ask before they rely on it. */
export type Capabilities = {
  /** Instances for cells can be made. */
  readonly hostsCells: boolean;
  /** `setLimits` works; else an instance serves only the limits that it was made with. */
  readonly changesLimits: boolean;
  /** `measurePeak` works; else a peak is that of an instance's whole life. */
  readonly measuresPeak: boolean;
  /** Whatever is made takes cores from all else that runs. */
  readonly isOneHost: boolean;
};

/** The peak of memory since it was made. Disposing ends the measurement. */
export type PeakMemory = AsyncDisposable & {
  /** Bytes; nothing where the instance is gone or cannot tell. */
  read(): Promise<number | undefined>;
};

const TAKEN_OVER_RETRY_MS = 1_000;

/** What whoever asks here for a sandbox gets that is another executor's by now. Where it is, session knows soon. */
export function takenOver(): DrydockError {
  return new DrydockError('SERVICE_UNAVAILABLE', 'another executor has taken the sandbox over; try again', {
    retryAfterMs: TAKEN_OVER_RETRY_MS,
  });
}

/** What the backend says of its instances by itself. */
export type Watcher = {
  /** An instance ended without `destroy`. May be told twice. */
  ended(instanceId: string, reason: EndedReason): void;
  /** Another executor has taken an instance over. */
  takenOver(instanceId: string): void;
  /** News were missed for a while, or another executor is gone: see what there is. */
  changed(): void;
};

/** What an executor left that is gone. Its instances are this one's now. */
export type Estate = {
  executorId: string;
  /** When the other one was gone for certain, and nobody could yet have come back in its place. */
  lostTime: Date;
  /** All is done that follows from it; until then it is this executor's to do, also after a restart. */
  settled(): Promise<void>;
};

/**
 * What runs instances: isolated machines in waiting, each with the agent as its first process. A sandbox is an instance
 * that belongs to somebody. Labels are the backend's only memory. Every method may be repeated. Disposing leaves what runs.
 */
export interface Backend extends AsyncDisposable {
  readonly capabilities: Capabilities;
  /** Names what instances live in where they outlive their executor and its host; empty where they do not. */
  readonly cluster: string;
  /**
   * Hands over a stream to the agent of an instance, which may not be made yet, and another whenever that has ended, until
   * disposed. To be called before `create`.
   */
  reach(instanceId: string, accept: (stream: Duplex) => void): Promise<AsyncDisposable>;
  /**
   * Makes and starts an instance; its agent can be reached soon after. Errors: SANDBOX_START_FAILED, and nothing is left
   * then. Not to be repeated with the same id.
   */
  create(plan: InstancePlan, signal: AbortSignal): Promise<void>;
  /**
   * What must not answer a running instance before it may have an owner: addresses, an IP and a port each. None where
   * instances have no network at all.
   */
  outOfReach(instanceId: string): string[];
  /**
   * Ends and removes an instance with everything in it. Succeeds when there is none. Errors: SERVICE_UNAVAILABLE where another
   * executor has taken it over, which is told to the watcher before.
   */
  destroy(instanceId: string): Promise<void>;
  /** Every instance of this executor that exists, also those that an earlier process made, with the claim that is noted on each. */
  list(): Promise<{ instanceId: string; running: boolean; note?: string | undefined }[]>;
  /**
   * Notes whose an instance is, where the backend can: that outlives the files of this process. Returns before it is done,
   * and fails in silence where the instance is gone.
   */
  note(instanceId: string, claim: Claim): void;
  /** Takes over from executors of the same cluster that are gone. What they left is in `list` from then on. */
  inherit(): Promise<Estate[]>;
  /** Removes what is kept for an organisation that is no more, with the instances that were made for it. */
  forget(organizationId: string): Promise<void>;
  /**
   * Changes the limits of a running instance; its disk stays as it is. False, and perhaps some of them changed, where it
   * uses more memory than that now.
   */
  setLimits(instanceId: string, limits: SandboxLimits): Promise<boolean>;
  /** Measures the peak of memory from now on. Nothing where it cannot. */
  measurePeak(instanceId: string): Promise<PeakMemory | undefined>;
  /** Tells what happens by itself until disposed. */
  watch(watcher: Watcher): AsyncDisposable;
  /** Resolves when the backend answers. */
  ping(): Promise<void>;
}
