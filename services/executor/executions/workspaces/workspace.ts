import type { SandboxLimits } from '#libs/catalog/catalog.ts';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { RunResponse, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { fromAgent } from '../../agent/errors.ts';
import type { Backend, PeakMemory } from '../../backends/backend.ts';
import { sameLimits } from '../../instances/limits.ts';

/** Where the files of a program are, and where its commands run. */
export const PROGRAM_DIRECTORY = '/home/user/program';

/** Bytes that go to the agent in one message. */
export const PIECE_BYTES = 256 * 1024;

/** What becomes of a command. The last is `exited`, or `refused` where it cannot be executed. */
export type StepEvent = Exclude<RunResponse['event'], undefined | { $case: 'opened' }>;

/**
 * Where the steps of one program run, one after the other, with nothing else beside them. Disposing ends whatever runs in
 * it. Calls throw where the sandbox around it does not answer; whether it has ended is told by `ended`.
 */
export type Workspace = AsyncDisposable & {
  readonly isolation: 'CELL' | 'SANDBOX';
  /** Aborted when the sandbox around it ends, with the error that says why. */
  readonly ended: AbortSignal;
  /** Writes files into the program's directory. */
  write(files: SourceFile[], signal: AbortSignal): Promise<void>;
  /** Sets the limits of what runs next. False where more memory than that is in use already. */
  limit(limits: SandboxLimits): Promise<boolean>;
  /** Measures the peak of memory from now on. Nothing where that cannot be. */
  measurePeak(): Promise<PeakMemory | undefined>;
  /** Ends whatever earlier steps left running. */
  clear(signal: AbortSignal): Promise<void>;
  /** Runs a command with an input. Aborting `signal` ends it. */
  start(command: StartRequest, stdin: Buffer, signal: AbortSignal): AsyncIterable<StepEvent>;
};

/** What is asked of the backend about the sandbox around a workspace of either kind. `now.limits` follows what is set. */
export function limitControls(
  backend: Backend,
  instanceId: string,
  now: { limits: SandboxLimits },
): Pick<Workspace, 'limit' | 'measurePeak'> {
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
  };
}

function noOtherLimits(): DrydockError {
  const wanted = 'give the compiler, the program and every case the same memory, processes and CPUs';
  return new DrydockError('NOT_IMPLEMENTED', `sandboxes keep their limits here: ${wanted}`);
}

/** Why files could not be written. Nothing has run on them yet, so that another sandbox may fare better. */
export async function writeFailureOf(error: unknown, ended: AbortSignal): Promise<unknown> {
  const known = await fromAgent(error, ended);
  if (!hasReason(known, 'SANDBOX_STOPPED', 'SERVICE_UNAVAILABLE')) return known;
  return new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended before the program began', { cause: known });
}

/** Cuts data into messages for the agent; no data is one empty piece. */
export function* piecesOf(data: Buffer): Generator<Buffer> {
  for (let at = 0; at === 0 || at < data.length; at += PIECE_BYTES) yield data.subarray(at, at + PIECE_BYTES);
}
