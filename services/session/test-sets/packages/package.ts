import type { Checker, Comparison, TestGroup } from '#proto/drydock/v1/execution.ts';
import type { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { MAX_BLOB_BYTES } from '../../blobs/blobs.ts';
import type { ArchiveFile } from './archive.ts';
import type { Findings } from './findings.ts';

/** What a package says of a test set; the bytes of its cases are still in the archive. */
export type Package = {
  /** Empty without one. */
  name: string;
  cases: PackageCase[];
  comparison: Comparison;
  floatTolerance?: number;
  caseInsensitive: boolean;
  /** The output validator of the package: a checker, or an interactor. */
  checker?: Checker;
  interactor?: Checker;
  groups?: TestGroup[];
  limits?: ResourceLimits;
  compileLimits?: ResourceLimits;
};

/** `points` are what it earns; absent: those of its group. */
export type PackageCase = {
  name: string;
  input: ArchiveFile;
  answer: ArchiveFile;
  group?: string;
  points?: number;
};

const MAX_CASES = 1000;
const MAX_NAME = 255;
/** Of an expected output that is compared. */
const MAX_ANSWER_BYTES = 10 * 1024 * 1024;

/** Reports cases that a test set cannot have. */
export function checkCases(cases: readonly PackageCase[], findings: Findings, place: string): void {
  if (cases.length === 0) findings.invalid(place, '', 'has no test cases');
  if (cases.length > MAX_CASES)
    findings.unsupported(place, '', `has ${cases.length} test cases, more than ${MAX_CASES}`);
  for (const { name, input, answer } of cases) {
    if (name.length > MAX_NAME) findings.unsupported(input.path, '', `has a name of more than ${MAX_NAME} characters`);
    if (input.sizeBytes > MAX_BLOB_BYTES) findings.unsupported(input.path, '', 'is larger than 256 MiB');
    if (answer.sizeBytes > MAX_ANSWER_BYTES) findings.unsupported(answer.path, '', 'is larger than 10 MiB');
  }
}

/** By code points, so that a package has the same order everywhere. */
export function byPath(a: { path: string }, b: { path: string }): number {
  return a.path < b.path ? -1 : a.path > b.path ? 1 : 0;
}
