import type { CaseSpec, CheckerSpec, ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { SourceFile, Verdict } from '#proto/drydock/v1/execution.ts';
import { signalName } from '../agent/signals.ts';
import { matches } from './comparison.ts';
import { endOf, openProgram, succeeded } from './program.ts';
import { type Ended, failureOf } from './verdict.ts';
import type { Workspace } from './workspaces/workspace.ts';

const MAX_MESSAGE_BYTES = 1024;

export type Judgement = { verdict: Verdict; message: string };

/** Decides on the output of a run against which nothing else speaks. */
export type Judge = AsyncDisposable & {
  judge(given: CaseSpec, output: Buffer, signal: AbortSignal): Promise<Judgement>;
};

/** Holds outputs against what was expected. Where nothing was, any will do. */
export function createComparison({ comparison, floatTolerance }: ExecutionSpec): Judge {
  return {
    async judge({ expectedOutput }, output) {
      const expected = expectedOutput === undefined ? undefined : Buffer.from(expectedOutput);
      const good = !expected || (await matches(output, expected, comparison, floatTolerance));
      return { verdict: good ? 'ACCEPTED' : 'WRONG_ANSWER', message: '' };
    },
    async [Symbol.asyncDispose]() {},
  };
}

/**
 * A program that judges: made once, in a workspace of its own, and run for each output with the files `input`, `output` and
 * `expected`, the last one empty where nothing was expected.
 */
export async function openChecker(
  open: (signal: AbortSignal) => Promise<Workspace>,
  { files, compile, run }: CheckerSpec,
  signal: AbortSignal,
): Promise<Judge> {
  const program = await openProgram(open, { files, compile }, signal);
  let compiled: Promise<Ended | undefined> | undefined;
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

function failed(how: string, ended: Ended): Judgement {
  const words = wordsOf(ended);
  return { verdict: 'INTERNAL_ERROR', message: `the checker ${how}${words ? `: ${words}` : ''}` };
}

function howItFailed(failure: Verdict, { exited }: Ended): string {
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

/** The first of what a program wrote. */
function wordsOf({ stdout, stderr }: Ended): string {
  return Buffer.concat([stdout, stderr]).subarray(0, MAX_MESSAGE_BYTES).toString().trim();
}
