import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { RunResponse, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import { fromAgent } from '../../agent/errors.ts';
import type { Backend, PeakMemory } from '../../backends/backend.ts';
import { sameLimits } from '../../instances/limits.ts';
import type { File, Input } from '../data.ts';

/** Directory of a program's files, in which its commands run. */
export const PROGRAM_DIRECTORY = '/home/user/program';

/** An event of a command. The last one is `exited`, or `refused` if the command cannot be executed. */
export type StepEvent = Exclude<RunResponse['event'], undefined | { $case: 'opened' | 'kept' }>;

/**
 * A place in which the steps of one program run one after the other, alone. Disposing kills everything in it. Calls throw if the
 * sandbox around it does not answer.
 */
export type Workspace = AsyncDisposable & {
  readonly isolation: 'CELL' | 'SANDBOX';
  /** Aborted when the sandbox around it ends, with the error that calls get. */
  readonly ended: AbortSignal;
  /** Writes files into the program's directory. */
  write(files: File[], signal: AbortSignal): Promise<void>;
  /** Sets the limits of the next step. False if more memory is in use already. */
  limit(limits: SandboxLimits): Promise<boolean>;
  /** Begins to measure the peak of memory. Undefined if the backend cannot. */
  measurePeak(): Promise<PeakMemory | undefined>;
  /** The digest of the image of the sandbox around it. Undefined if it is not known. */
  image(): Promise<string | undefined>;
  /** Keeps a copy of the program's directory in the sandbox's memory. Errors: DISK_FULL if it is too large. */
  keep(signal: AbortSignal): Promise<void>;
  /**
   * Ends what earlier steps left, processes, files and everything else: the next step finds the program's directory as it was kept,
   * and nothing beside it. After an error the workspace is of no further use.
   */
  renew(signal: AbortSignal): Promise<void>;
  /** Ends it as disposing does, and waits until another one can have its room. */
  vacate(): Promise<void>;
  /** Runs a command with an input. Aborting `signal` kills it. */
  start(command: StartRequest, stdin: Input, signal: AbortSignal): AsyncIterable<StepEvent>;
};

/** Sets the limits and measures the peak memory of the sandbox around a workspace. Keeps `now.limits` up to date. */
export function limitControls(
  backend: Backend,
  instanceId: string,
  now: { limits: SandboxLimits },
): Pick<Workspace, 'limit' | 'measurePeak' | 'image'> {
  return {
    async limit({ memoryBytes, processes, cpus }) {
      const limits = { ...now.limits, memoryBytes, processes, cpus };
      if (sameLimits(limits, now.limits)) return true;
      if (!backend.capabilities.changesLimits) throw noOtherLimits();
      const fits = await backend.setLimits(instanceId, limits);
      if (fits) now.limits = limits;
      return fits;
    },
    measurePeak: () => backend.measurePeak(instanceId),
    image: () => backend.imageOf(instanceId),
  };
}

function noOtherLimits(): DrydockError {
  const advice = 'give the compiler, the program and every case the same memory, processes and CPUs';
  return new DrydockError('NOT_IMPLEMENTED', `limits of a running sandbox cannot be changed here: ${advice}`);
}

/** Logs why a renewal failed: its caller goes on in another workspace, whatever the reason. */
export async function tellFailure(log: Logger, instanceId: string, renewal: Promise<void>): Promise<void> {
  try {
    await renewal;
  } catch (error) {
    log.warn({ err: error, instanceId }, 'failed to renew a workspace; another one is opened');
    throw error;
  }
}

/** The error if files cannot be written. No program has run yet, so the scheduler may try again elsewhere. */
export async function writeFailureOf(error: unknown, ended: AbortSignal): Promise<unknown> {
  const known = await fromAgent(error, ended);
  if (!hasReason(known, 'SANDBOX_STOPPED', 'SERVICE_UNAVAILABLE')) return known;
  return new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended before the program began', { cause: known });
}
