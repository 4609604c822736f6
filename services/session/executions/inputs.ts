import type { FieldChecks } from '#libs/field-checks.ts';
import { CaseSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Checker, Interactor, RunCodeRequest, SourceFile, TestCase } from '#proto/drydock/v1/execution.ts';
import { MiB } from '../requests/checks.ts';

/** Of an expected output that is a blob: a program's output has at most 4 MiB. */
export const MAX_EXPECTED_BYTES = 10 * MiB;

/** What a program is given and what it should answer, of a request or of a test case. */
export type Input = Pick<TestCase, 'stdin' | 'stdinBytes' | 'stdinBlob' | 'expectedOutput' | 'expectedOutputBlob'>;

/** The programs that judge, of a request or of a test set. */
type Judges = { checker?: Checker | undefined; interactor?: Interactor | undefined };

/** A blob that a request names. */
export type NamedBlob = { field: string; sha256: string; maxBytes?: number };

/** The case of an input. Two ways of giving one thing are a violation. */
export function checkInput(check: FieldChecks, prefix: string, input: Input): CaseSpec {
  const { stdin, stdinBytes, stdinBlob, expectedOutput, expectedOutputBlob } = input;
  if ([stdin, stdinBytes.length > 0, stdinBlob].filter(Boolean).length > 1)
    check.violation(`${prefix}stdin`, 'set one of stdin, stdinBytes and stdinBlob');
  if (expectedOutput !== undefined && expectedOutputBlob)
    check.violation(`${prefix}expectedOutput`, 'cannot be combined with expectedOutputBlob');
  const bytes = stdinBytes.length > 0 ? Buffer.from(stdinBytes) : Buffer.from(stdin);
  return CaseSpec.create({ stdin: bytes, stdinBlob, expectedOutput, expectedOutputBlob });
}

/** Bytes of an input that are not in blobs. */
export function inlineBytes({ stdin, stdinBytes, expectedOutput = '' }: Input): number {
  return Buffer.byteLength(stdin) + stdinBytes.length + Buffer.byteLength(expectedOutput);
}

/** Whether anything of an input is set. */
export function isGiven({ stdin, stdinBytes, stdinBlob, expectedOutput, expectedOutputBlob }: Input): boolean {
  return Boolean(stdin || stdinBytes.length > 0 || stdinBlob || expectedOutput !== undefined || expectedOutputBlob);
}

/** The blobs that a request to run code names, each with its field. */
export function blobsOf(request: RunCodeRequest): NamedBlob[] {
  return [
    ...blobsOfFiles('files', request.files),
    ...blobsOfJudges(request),
    ...blobsOfInput('', request),
    ...blobsOfCases('testCases', request.testCases),
  ];
}

export function blobsOfCases(field: string, cases: readonly TestCase[]): NamedBlob[] {
  return cases.flatMap((each, index) => blobsOfInput(`${field}[${index}].`, each));
}

export function blobsOfJudges({ checker, interactor }: Judges): NamedBlob[] {
  return [
    ...blobsOfFiles('checker.files', checker?.files ?? []),
    ...blobsOfFiles('interactor.files', interactor?.files ?? []),
  ];
}

function blobsOfInput(prefix: string, { stdinBlob, expectedOutputBlob }: Input): NamedBlob[] {
  return [
    ...(stdinBlob ? [{ field: `${prefix}stdinBlob`, sha256: stdinBlob }] : []),
    ...(expectedOutputBlob
      ? [{ field: `${prefix}expectedOutputBlob`, sha256: expectedOutputBlob, maxBytes: MAX_EXPECTED_BYTES }]
      : []),
  ];
}

function blobsOfFiles(field: string, files: readonly SourceFile[]): NamedBlob[] {
  return files.flatMap(({ content }, index) =>
    content?.$case === 'blob' ? [{ field: `${field}[${index}].blob`, sha256: content.value }] : [],
  );
}
