import type { CheckerSpec, ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { firstOf } from '../agent/output.ts';
import { signalName } from '../agent/signals.ts';
import { inSmallLetters, matches } from './comparison.ts';
import { bufferOf, type Data, type File } from './data.ts';
import type { GivenCase } from './given-case.ts';
import { endOf, openProgram, succeeded } from './program.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const MAX_MESSAGE_BYTES = 1024;
const NOTHING = Buffer.alloc(0);

export type Judgement = { verdict: Verdict; message: string };

/** Judges the output of a run that hit no limit and exited with 0. */
export type Judge = AsyncDisposable & {
  judge(given: Pick<GivenCase, 'input' | 'expected'>, output: Buffer, signal: AbortSignal): Promise<Judgement>;
};

/** Compares output with the expected output; without one, anything passes. */
export function createComparison({ comparison, floatTolerance, caseInsensitive }: ExecutionSpec): Judge {
  return {
    async judge(given, output) {
      const expected = given.expected && (await bufferOf(given.expected));
      const [a, b] = caseInsensitive
        ? [inSmallLetters(output), expected && inSmallLetters(expected)]
        : [output, expected];
      const good = !b || (await matches(a, b, comparison, floatTolerance));
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
  { compile, run }: Pick<CheckerSpec, 'compile' | 'run'>,
  files: File[],
  runs: number,
  signal: AbortSignal,
): Promise<Judge> {
  const program = await openProgram(open, { files, compile, runs }, signal);
  let compiled: Promise<StepEnd | undefined> | undefined;
  return {
    async judge({ input, expected = NOTHING }, output, signal) {
      compiled ??= program.compile(signal);
      const made = await compiled;
      if (made && !succeeded(made)) return failed('does not compile', made);
      const given = [fileOf('input', input), fileOf('output', output), fileOf('expected', expected)];
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

function fileOf(name: string, data: Data): File {
  return { name, data };
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
