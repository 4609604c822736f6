import type { Checker_Protocol } from '#proto/drydock/v1/execution.ts';
import type { Data, File } from './data.ts';
import type { GivenCase } from './given-case.ts';
import type { StepEnd } from './verdict.ts';

const NOTHING = Buffer.alloc(0);

/** What a protocol gives its programs of a case. */
type Given = Pick<GivenCase, 'input' | 'expected'>;

/** What the end of a judging program says; POINTS leaves the verdict to its points. */
export type Says = 'ACCEPTED' | 'WRONG_ANSWER' | 'POINTS';

/** A convention between judges and their checkers. */
export type Protocol = {
  /** Its files for one output. */
  files(given: Given, output: Buffer): File[];
  /** The name of the file with the expected output. */
  answer: string;
  /** It reads the output from its standard input. */
  readsOutput: boolean;
  /** What exit codes say; others are its failure. */
  exitCodes: Readonly<Record<number, Says>>;
  /** Where it leaves a message and points, if not among its outputs. */
  feedback?: { message: string; score: string };
};

const KATTIS_FEEDBACK = { message: 'feedback/judgemessage.txt', score: 'feedback/score.txt' };

export const PROTOCOLS: Readonly<Record<Exclude<Checker_Protocol, 'PROTOCOL_UNSPECIFIED'>, Protocol>> = {
  DRYDOCK: {
    answer: 'expected',
    files: ({ input, expected = NOTHING }, output) => [
      fileOf('input', input),
      fileOf('output', output),
      fileOf('expected', expected),
    ],
    readsOutput: false,
    exitCodes: { 0: 'ACCEPTED', 1: 'WRONG_ANSWER' },
  },
  TESTLIB: {
    answer: 'answer',
    files: ({ input, expected = NOTHING }, output) => [
      fileOf('input', input),
      fileOf('output', output),
      fileOf('answer', expected),
    ],
    readsOutput: false,
    exitCodes: {
      0: 'ACCEPTED',
      1: 'WRONG_ANSWER',
      2: 'WRONG_ANSWER',
      4: 'WRONG_ANSWER',
      8: 'WRONG_ANSWER',
      7: 'POINTS',
    },
  },
  KATTIS: {
    answer: 'answer',
    files: ({ input, expected = NOTHING }) => [fileOf('input', input), fileOf('answer', expected)],
    readsOutput: true,
    exitCodes: { 42: 'ACCEPTED', 43: 'WRONG_ANSWER' },
    feedback: KATTIS_FEEDBACK,
  },
};

/** The files of an interactor for one talk. */
export function talkFilesOf({ answer }: Protocol, { input, expected = NOTHING }: Given): File[] {
  return [fileOf('input', input), fileOf(answer, expected)];
}

/** The files of a judging program's sources: where its protocol has a directory for feedback, that is there before it runs. */
export function withFeedback(files: File[], { feedback }: Protocol): File[] {
  if (!feedback || files.some(({ name }) => name === feedback.message)) return files;
  return [...files, fileOf(feedback.message, NOTHING)];
}

export function protocolOf(name: Checker_Protocol): Protocol {
  return PROTOCOLS[name === 'PROTOCOL_UNSPECIFIED' ? 'DRYDOCK' : name];
}

const POINTS = /^points\s+(\S{1,64})(?:\s|$)/;

/** The points that TESTLIB's programs print; NaN if there are none. */
export function printedPoints({ stderr }: Pick<StepEnd, 'stderr'>): number {
  return numberOf(POINTS.exec(stderr.subarray(0, 128).toString())?.[1] ?? '');
}

const NUMBER = /^\d{1,20}(?:\.\d{0,30})?(?:[eE][+-]?\d{1,3})?$/;

/** A number of points; NaN unless it is written as one from 0 on. */
export function numberOf(text: string): number {
  const points = NUMBER.test(text) ? Number(text) : Number.NaN;
  return Number.isFinite(points) ? points : Number.NaN;
}

function fileOf(name: string, data: Data): File {
  return { name, data };
}
