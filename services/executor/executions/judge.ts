import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Verdict } from '#proto/drydock/v1/execution.ts';
import { inSmallLetters, matches } from './comparison.ts';
import { bufferOf } from './data.ts';
import type { GivenCase } from './given-case.ts';

export type Judgement = {
  verdict: Verdict;
  message: string;
  /** Points that a checker gave. */
  score?: number;
};

/** Judges the output of a run that hit no limit and exited with 0. */
export type Judge = AsyncDisposable & {
  judge(
    given: Pick<GivenCase, 'input' | 'expected' | 'points'>,
    output: Buffer,
    signal: AbortSignal,
  ): Promise<Judgement>;
};

/** Compares output with the expected output; without one, anything passes. */
export function createComparison(spec: ExecutionSpec): Judge {
  const { comparison, caseInsensitive, floatTolerance } = spec;
  const tolerances = {
    absolute: spec.absoluteTolerance ?? floatTolerance,
    relative: spec.relativeTolerance ?? floatTolerance,
  };
  return {
    async judge(given, output) {
      const expected = given.expected && (await bufferOf(given.expected));
      const [a, b] = caseInsensitive
        ? [inSmallLetters(output), expected && inSmallLetters(expected)]
        : [output, expected];
      const good = !b || (await matches(a, b, comparison, tolerances));
      return { verdict: good ? 'ACCEPTED' : 'WRONG_ANSWER', message: '' };
    },
    async [Symbol.asyncDispose]() {},
  };
}
