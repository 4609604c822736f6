import { DrydockError } from '#libs/errors.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { isCellGone } from '../agent/errors.ts';
import { runStep, type StepOptions } from './step.ts';
import type { Ended } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

/** Sources, and the step that makes something of them that can be run. */
export type Sources = { files: SourceFile[]; compile: ExecutionStep | undefined };

/** A program that is made once and run as often as wanted. A workspace that one run destroyed is made anew for the next. */
export type Program = AsyncDisposable & {
  readonly isolation: Workspace['isolation'];
  /** How the compiler ended; nothing where none is needed. */
  compile(signal: AbortSignal): Promise<Ended | undefined>;
  /** Runs it, with more files beside it. */
  run(
    step: ExecutionStep,
    options: StepOptions & { files?: SourceFile[] },
  ): AsyncGenerator<RunExecutionResponse, Ended>;
};

/** Opens a workspace and writes the sources there. */
export async function openProgram(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { files: sources, compile: compileStep }: Sources,
  signal: AbortSignal,
): Promise<Program> {
  const begin = async (signal: AbortSignal): Promise<Workspace> => {
    const workspace = await open(signal);
    try {
      await workspace.write(sources, signal);
      return workspace;
    } catch (error) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
  };
  const compile = async (signal: AbortSignal): Promise<Ended | undefined> =>
    compileStep && endOf(runStep(workspace, compileStep, { signal }));
  const beginAgain = async (signal: AbortSignal): Promise<void> => {
    await workspace[Symbol.asyncDispose]();
    workspace = await begin(signal);
    const compiled = await compile(signal);
    if (compiled && !succeeded(compiled))
      throw new DrydockError('SANDBOX_START_FAILED', 'the program could not be compiled once more');
  };

  let workspace = await begin(signal);
  let lost = false;
  return {
    isolation: workspace.isolation,
    compile,
    async *run(step, { files = [], ...options }) {
      for (let again = lost; ; again = true) {
        if (again) await beginAgain(options.signal);
        try {
          if (files.length > 0) await workspace.write(files, options.signal);
          const ended = yield* runStep(workspace, step, options);
          lost = ended.lost !== undefined;
          return ended;
        } catch (error) {
          if (again || !isCellGone(error)) throw error;
        }
      }
    },
    [Symbol.asyncDispose]: () => workspace[Symbol.asyncDispose](),
  };
}

/** Whether a compiler made what it was to make. */
export function succeeded({ exited }: Ended): boolean {
  return exited?.exitCode === 0 && exited.limit === 'LIMIT_KIND_UNSPECIFIED';
}

/** What a step comes to, for those who have no use for its events. */
export async function endOf(step: AsyncGenerator<unknown, Ended>): Promise<Ended> {
  let next = await step.next();
  while (!next.done) next = await step.next();
  return next.value;
}
