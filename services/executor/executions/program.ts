import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { hasCellEnded } from '../agent/errors.ts';
import { ArtifactFailure, type Artifacts } from './artifacts.ts';
import type { File } from './data.ts';
import { endOf, NOT_FOUND_EXIT_CODE, runStep, type StepOptions } from './step.ts';
import type { StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const CANNOT_RUN = ['NO_CAPACITY', 'SANDBOX_START_FAILED', 'SERVICE_UNAVAILABLE', 'NOT_IMPLEMENTED'] as const;

/** Sources, the step that compiles them, if any, and how many runs there may be. */
export type Sources = { files: File[]; compile: ExecutionStep | undefined; runs: number };

/** Where what compile steps made is kept, and for whom. */
export type Cache = { artifacts: Artifacts | undefined; organizationId: string; log: Logger };

/** The end of a compile step, of this execution or of an earlier one whose result was kept. */
export type Compiled = StepEnd & { cached: boolean };

/**
 * A program that is compiled once and run many times. Each run finds what compiling made, and nothing of the compiler's or of another
 * run. If a run destroys its workspace, the next run opens and compiles anew.
 */
export type Program = AsyncDisposable & {
  readonly isolation: Workspace['isolation'];
  /** The end of the compiler; undefined if there is no compile step. */
  compile(signal: AbortSignal): Promise<Compiled | undefined>;
  /** Runs the program, with additional files in its directory. */
  run(step: ExecutionStep, options: StepOptions & { files?: File[] }): AsyncGenerator<RunExecutionResponse, StepEnd>;
  /** Runs a command beside what the last run left. */
  look(step: ExecutionStep, signal: AbortSignal): Promise<StepEnd>;
};

/** A workspace with the program's directory in it. */
type Room = {
  workspace: Workspace;
  /** The end of the compile step, if it has run, or its result was kept. */
  compiled: Compiled | undefined;
  /** A step has run in it. */
  used: boolean;
  /** The program's directory can be had again. */
  kept: boolean;
  lost: boolean;
};

type Parts = Sources & Cache & { open: (signal: AbortSignal) => Promise<Workspace> };

/** Opens a workspace and puts the sources there, or what an earlier compile step made of them. */
export async function openProgram(
  open: (signal: AbortSignal) => Promise<Workspace>,
  sources: Sources,
  cache: Cache,
  signal: AbortSignal,
): Promise<Program> {
  const parts: Parts = { ...sources, ...cache, open };
  let room = await prepare(parts, signal);
  const beginAgain = async (signal: AbortSignal): Promise<void> => {
    room.lost = true;
    await room.workspace.vacate();
    room = await prepare(parts, signal);
    const compiled = await compile(parts, room, signal);
    if (compiled && !succeeded(compiled))
      throw new DrydockError('SANDBOX_START_FAILED', 'the program failed to compile a second time');
  };
  const run: Program['run'] = async function* (step, { files = [], ...options }) {
    let renewing = false;
    for (let again = room.lost; ; again = true) {
      if (again || (room.used && !room.kept)) await beginAgain(options.signal);
      try {
        renewing = room.used;
        if (room.used) await room.workspace.renew(options.signal);
        renewing = false;
        room.used = true;
        if (files.length > 0) await room.workspace.write(files, options.signal);
        const ended = yield* runStep(room.workspace, step, options);
        room.lost = ended.lost !== undefined;
        return ended;
      } catch (error) {
        // What could not be renewed is as good as lost, whatever the reason.
        if (again || options.signal.aborted || !(renewing || hasCellEnded(error))) throw error;
      }
    }
  };
  return {
    isolation: room.workspace.isolation,
    compile: (signal) => compile(parts, room, signal),
    run,
    look: (step, signal) => endOf(runStep(room.workspace, step, { signal })),
    [Symbol.asyncDispose]: () => room.workspace[Symbol.asyncDispose](),
  };
}

async function prepare(parts: Parts, signal: AbortSignal, withArtifacts = true): Promise<Room> {
  const { open, files, compile, runs, artifacts, organizationId, log } = parts;
  const workspace = await open(signal);
  try {
    const made = withArtifacts && compile && { organizationId, files, compile };
    const restored = made ? await artifacts?.restore(workspace, made, signal) : undefined;
    if (!restored) await workspace.write(files, signal);
    const kept = restored !== undefined || (!compile && runs > 1);
    if (kept) await workspace.keep(signal);
    const compiled = restored && { ...restored, cached: true };
    return { workspace, compiled, used: restored !== undefined, kept, lost: false };
  } catch (error) {
    if (!(error instanceof ArtifactFailure)) {
      await workspace[Symbol.asyncDispose]();
      throw error;
    }
    log.warn({ err: error }, 'failed to restore what a compile step made; it is made anew');
    await workspace.vacate();
    return await prepare(parts, signal, false);
  }
}

async function compile(parts: Parts, room: Room, signal: AbortSignal): Promise<Compiled | undefined> {
  const { files, compile, artifacts, organizationId } = parts;
  if (!compile || room.compiled) return room.compiled;
  const ended = await endOf(runStep(room.workspace, compile, { signal }));
  room.kept = succeeded(ended);
  if (room.kept) await artifacts?.keep(room.workspace, { organizationId, files, compile }, ended, signal);
  if (room.kept) await room.workspace.keep(signal);
  room.used = true;
  room.compiled = { ...ended, cached: false };
  return room.compiled;
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
