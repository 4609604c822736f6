import type { SandboxLimits } from '#libs/catalog/catalog.ts';

/** What an instance is made of. */
export type InstancePlan = {
  /** `ins_…`; its only name at the backend. */
  instanceId: string;
  template: string;
  image: string;
  limits: SandboxLimits;
  writableRoot: boolean;
  /** Runtime class, null for the backend's default. */
  runtime: string | null;
  /** Directory on this host whose `agent.sock` the agent dials. */
  linkDirectory: string;
};

export type EndedReason = 'OUT_OF_MEMORY' | 'EXITED' | 'EVICTED';

/**
 * What runs instances: isolated machines in waiting, each with the agent as its first process. A sandbox is an instance
 * that belongs to somebody. Labels are the backend's only memory.
 */
export interface Backend {
  /** Makes and starts an instance; its agent dials soon after. Throws DrydockError SANDBOX_START_FAILED; nothing is left then. */
  create(plan: InstancePlan, signal: AbortSignal): Promise<void>;
  /** Ends and removes an instance with everything in it. Succeeds when there is none. */
  destroy(instanceId: string): Promise<void>;
  /** Ids and templates of this executor's instances that run, also those that an earlier process made. */
  list(): Promise<{ instanceId: string; template: string }[]>;
  /** Every instance of this executor that exists, running or not. */
  listAll(): Promise<string[]>;
  /** Changes the limits of a running instance; its disk stays as it is. */
  setLimits(instanceId: string, limits: SandboxLimits): Promise<void>;
  /** Forgets the peak of memory so far, where the backend can. */
  resetPeakMemory(instanceId: string): Promise<void>;
  /** Calls back whenever an instance ends without `destroy`. */
  watch(onEnded: (instanceId: string, reason: EndedReason) => void): AsyncDisposable;
  /** Resolves when the backend answers. */
  ping(): Promise<void>;
}
