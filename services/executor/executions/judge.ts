import type { CaseSpec, CheckerSpec, ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { SourceFile, Verdict } from '#proto/drydock/v1/execution.ts';
import { firstOf } from '../agent/output.ts';
import { signalName } from '../agent/signals.ts';
import { inSmallLetters, matches } from './comparison.ts';
import { endOf, openProgram, succeeded } from './program.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const MAX_MESSAGE_BYTES = 1024;

export type Judgement = {
  verdict: Verdict;
  message: string;
  /** Points that a checker gave. */
  score?: number;
};

/** Judges the output of a run that hit no limit and exited with 0. */
export type Judge = AsyncDisposable & {
  judge(given: CaseSpec, output: Buffer, signal: AbortSignal): Promise<Judgement>;
};

/** Compares output with the expected output; without one, anything passes. */
export function createComparison(spec: ExecutionSpec): Judge {
  const { comparison, caseInsensitive, floatTolerance } = spec;
  const tolerances = {
    absolute: spec.absoluteTolerance ?? floatTolerance,
    relative: spec.relativeTolerance ?? floatTolerance,
  };
  return {
    async judge({ expectedOutput }, output) {
      const expected = expectedOutput === undefined ? undefined : Buffer.from(expectedOutput);
      const [a, b] = caseInsensitive
        ? [inSmallLetters(output), expected && inSmallLetters(expected)]
        : [output, expected];
      const good = !b || (await matches(a, b, comparison, tolerances));
      return { verdict: good ? 'ACCEPTED' : 'WRONG_ANSWER', message: '' };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * A checker program, compiled once in a workspace of its own, and run for each output with the files `input`, `output` and
 * `expected`; the last one is empty if no output was expected.
 */
export async function openChecker(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { files, compile, run }: CheckerSpec,
  runs: number,
  signal: AbortSignal,
): Promise<Judge> {
  const program = await openProgram(open, { files, compile, runs }, signal);
  let compiled: Promise<StepEnd | undefined> | undefined;
  return {
    async judge({ stdin, expectedOutput = '' }, output, signal) {
      compiled ??= program.compile(signal);
      const made = await compiled;
      if (made && !succeeded(made)) return failed('does not compile', made);
      const given = [fileOf('input', stdin), fileOf('output', output), fileOf('expected', Buffer.from(expectedOutput))];
      const ended = await endOf(program.run(run!, { files: given, signal }));
      const failure = failureOf(run!, ended);
      if (!failure) return { verdict: 'ACCEPTED', message: wordsOf(ended) };
      if (failure === 'RUNTIME_ERROR' && ended.exited?.exitCode === 1)
        return { verdict: 'WRONG_ANSWER', message: wordsOf(ended) };
      return failed(howItFailed(failure, ended), ended);
    },
    [Symbol.asyncDispose]: () => program[Symbol.asyncDispose](),
  };
}

function fileOf(name: string, value: Buffer): SourceFile {
  return { name, content: { $case: 'data', value } };
}

function failed(how: string, ended: StepEnd): Judgement {
  const words = wordsOf(ended);
  return { verdict: 'INTERNAL_ERROR', message: `the checker ${how}${words ? `: ${words}` : ''}` };
}

function howItFailed(failure: Verdict, { exited }: StepEnd): string {
  switch (failure) {
    case 'WALL_TIME_EXCEEDED':
    case 'CPU_TIME_EXCEEDED':
      return 'took too long';
    case 'MEMORY_EXCEEDED':
      return 'ran out of memory';
    case 'OUTPUT_EXCEEDED':
      return 'wrote too much';
    default:
      return exited && exited.signal === 0
        ? `ended with exit code ${exited.exitCode}`
        : `was ended by ${signalName(exited?.signal ?? 0) || 'something unknown'}`;
  }
}

/** The first KiB of a program's outputs. */
function wordsOf({ stdout, stderr }: StepEnd): string {
  return firstOf(Buffer.concat([stdout, stderr]), MAX_MESSAGE_BYTES)
    .toString()
    .trim();
}
