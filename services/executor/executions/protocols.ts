import type { CaseSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Checker_Protocol, SourceFile } from '#proto/drydock/v1/execution.ts';
import type { StepEnd } from './verdict.ts';

/** What the end of a judging program says; POINTS leaves the verdict to its points. */
export type Says = 'ACCEPTED' | 'WRONG_ANSWER' | 'POINTS';

/** A convention between judges and their checkers. */
export type Protocol = {
  /** Its files for one output. */
  files(given: Pick<CaseSpec, 'stdin' | 'expectedOutput'>, output: Buffer): SourceFile[];
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
    files: ({ stdin, expectedOutput = '' }, output) => [
      fileOf('input', stdin),
      fileOf('output', output),
      fileOf('expected', Buffer.from(expectedOutput)),
    ],
    readsOutput: false,
    exitCodes: { 0: 'ACCEPTED', 1: 'WRONG_ANSWER' },
  },
  TESTLIB: {
    answer: 'answer',
    files: ({ stdin, expectedOutput = '' }, output) => [
      fileOf('input', stdin),
      fileOf('output', output),
      fileOf('answer', Buffer.from(expectedOutput)),
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
    files: ({ stdin, expectedOutput = '' }) => [fileOf('input', stdin), fileOf('answer', Buffer.from(expectedOutput))],
    readsOutput: true,
    exitCodes: { 42: 'ACCEPTED', 43: 'WRONG_ANSWER' },
    feedback: KATTIS_FEEDBACK,
  },
};

/** The files of an interactor for one talk. */
export function talkFilesOf({ answer }: Protocol, given: Pick<CaseSpec, 'stdin' | 'expectedOutput'>): SourceFile[] {
  return [fileOf('input', given.stdin), fileOf(answer, Buffer.from(given.expectedOutput ?? ''))];
}

/** The files of a judging program's sources: where its protocol has a directory for feedback, that is there before it runs. */
export function withFeedback(files: SourceFile[], { feedback }: Protocol): SourceFile[] {
  if (!feedback || files.some(({ name }) => name === feedback.message)) return files;
  return [...files, fileOf(feedback.message, Buffer.alloc(0))];
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

function fileOf(name: string, value: Buffer): SourceFile {
  return { name, content: { $case: 'data', value } };
}
