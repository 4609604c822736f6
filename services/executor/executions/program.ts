import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { hasCellEnded } from '../agent/errors.ts';
import type { File } from './data.ts';
import { NOT_FOUND_EXIT_CODE, runStep, type StepOptions } from './step.ts';
import type { StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const CANNOT_RUN = ['NO_CAPACITY', 'SANDBOX_START_FAILED', 'SERVICE_UNAVAILABLE', 'NOT_IMPLEMENTED'] as const;

/** Sources, the step that compiles them, if any, and how many runs there may be. */
export type Sources = { files: File[]; compile: ExecutionStep | undefined; runs: number };

/**
 * A program that is compiled once and run many times. Each run finds what compiling made, and nothing of the compiler's or of another
 * run. If a run destroys its workspace, the next run opens and compiles anew.
 */
export type Program = AsyncDisposable & {
  readonly isolation: Workspace['isolation'];
  /** The end of the compiler; undefined if there is no compile step. */
  compile(signal: AbortSignal): Promise<StepEnd | undefined>;
  /** Runs the program, with additional files in its directory. */
  run(step: ExecutionStep, options: StepOptions & { files?: File[] }): AsyncGenerator<RunExecutionResponse, StepEnd>;
};

/** Opens a workspace and writes the sources there. */
export async function openProgram(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { files: sources, compile: compileStep, runs }: Sources,
  signal: AbortSignal,
): Promise<Program> {
  const begin = async (signal: AbortSignal): Promise<Workspace> => {
    const workspace = await open(signal);
    try {
      await workspace.write(sources, signal);
      kept = !compileStep && runs > 1;
      if (kept) await workspace.keep(signal);
      used = false;
      return workspace;
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  };
  const compile = async (signal: AbortSignal): Promise<StepEnd | undefined> => {
    if (!compileStep) return undefined;
    const compiled = await endOf(runStep(workspace, compileStep, { signal }));
    kept = succeeded(compiled);
    if (kept) await workspace.keep(signal);
    used = true;
    return compiled;
  };
  const beginAgain = async (signal: AbortSignal): Promise<void> => {
    lost = true;
    await workspace.vacate();
    workspace = await begin(signal);
    const compiled = await compile(signal);
    if (compiled && !succeeded(compiled))
      throw new DrydockError('SANDBOX_START_FAILED', 'the program failed to compile a second time');
    lost = false;
  };

  // Whether a step has run in the workspace, and whether the program's directory can be had again.
  let used = false;
  let kept = false;
  let lost = false;
  let workspace = await begin(signal);
  const run: Program['run'] = async function* (step, { files = [], ...options }) {
    let renewing = false;
    for (let again = lost; ; again = true) {
      if (again || (used && !kept)) await beginAgain(options.signal);
      try {
        renewing = used;
        if (used) await workspace.renew(options.signal);
        renewing = false;
        used = true;
        if (files.length > 0) await workspace.write(files, options.signal);
        const ended = yield* runStep(workspace, step, options);
        lost = ended.lost !== undefined;
        return ended;
      } catch (error) {
        // What could not be renewed is as good as lost, whatever the reason.
        if (again || options.signal.aborted || !(renewing || hasCellEnded(error))) throw error;
      }
    }
  };
  return {
    isolation: workspace.isolation,
    compile,
    run,
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** Whether a compiler succeeded. */
export function succeeded({ exited }: StepEnd): boolean {
  return exited?.exitCode === 0 && exited.limit === 'LIMIT_KIND_UNSPECIFIED';
}

/**
 * The end of a step that looks for errors in a program's sources, if it found any. Nothing if the step cannot run now: what is known
 * of the program without it still holds.
 */
export async function findErrors(
  program: Program,
  step: ExecutionStep,
  log: Logger,
  signal: AbortSignal,
): Promise<StepEnd | undefined> {
  try {
    const ended = await endOf(program.run(step, { signal }));
    return foundErrors(ended) ? ended : undefined;
  } catch (error) {
    if (signal.aborted || !hasReason(error, ...CANNOT_RUN)) throw error;
    log.warn({ err: error }, 'failed to check a program for errors in its sources; its verdict stays');
    return undefined;
  }
}

/** Whether a check ended itself with an exit code of its own, as it does for errors in the sources. */
function foundErrors({ exited }: StepEnd): boolean {
  if (exited?.limit !== 'LIMIT_KIND_UNSPECIFIED' || exited.oomKills > 0) return false;
  return exited.exitCode > 0 && exited.exitCode !== NOT_FOUND_EXIT_CODE;
}

/** Runs a step and discards its events. */
export async function endOf(step: AsyncGenerator<unknown, StepEnd>): Promise<StepEnd> {
  let next = await step.next();
  while (!next.done) next = await step.next();
  return next.value;
}
