import { type CallOptions, type Connection, method, UNLIMITED } from './connection.ts';
import type { Comparison } from './generated/drydock/v1/execution.ts';
import {
  CreateTestSetRequest,
  ImportTestSetRequest,
  type PackageNote,
  type TestSet as TestSetMessage,
  TestSetServiceDefinition,
} from './generated/drydock/v1/test_set.ts';
import { CALL_OPTIONS, newRequestId, type ResourceLimits, refuseOthers, toLimits } from './options.ts';
import { Paged } from './paged.ts';
import { piecesOfBytes } from './pieces.ts';
import {
  type Checker,
  type Interactor,
  type Program,
  type TestCase,
  type TestGroup,
  toCase,
  toChecker,
  toGroup,
} from './programs.ts';

const [CREATE, GET, LIST, DELETE, IMPORT] = [
  method(TestSetServiceDefinition, 'createTestSet'),
  method(TestSetServiceDefinition, 'getTestSet'),
  method(TestSetServiceDefinition, 'listTestSets'),
  method(TestSetServiceDefinition, 'deleteTestSet'),
  method(TestSetServiceDefinition, 'importTestSet'),
];

/** A test set, whose cases name blobs. Of a list it has neither cases nor what says how they are judged. */
export type TestSet = TestSetMessage;

/** The cases of a problem, and how programs are judged by them. */
export type NewTestSet = {
  /** To 128 characters. Several test sets may have the same. */
  name: string;
  /** To 128 characters. Default: none. */
  version?: string;
  /** 1 to 1,000; text to 10 MiB in all, the rest as blobs. */
  cases: readonly TestCase[];
  /** As of a program. */
  comparison?: Program['comparison'];
  floatTolerance?: number;
  caseInsensitive?: boolean;
  checker?: Checker;
  interactor?: Interactor;
  groups?: readonly TestGroup[];
  /** What an execution has whose own limits do not say otherwise. */
  limits?: ResourceLimits;
  compileLimits?: ResourceLimits;
  /** By language: what the times of `limits` and of cases are multiplied by. Above 0, to 100; default 1. */
  timeMultipliers?: Readonly<Record<string, number>>;
};

/** Data of problems, registered once: a program that names a test set (`testSet`) carries its source alone. */
export class TestSets {
  readonly #connection: Connection;

  constructor(connection: Connection) {
    this.#connection = connection;
  }

  /** Throws InvalidArgumentError, NotFoundError (BLOB_NOT_FOUND, LANGUAGE_NOT_FOUND), QuotaExceededError. */
  async create(testSet: NewTestSet, options: CallOptions = {}): Promise<TestSet> {
    refuseOthers(options, CALL_OPTIONS);
    const request = { ...toCreateRequest(testSet), requestId: newRequestId() };
    return (await this.#connection.unary(CREATE, request, options, { repeatable: true })).testSet!;
  }

  /**
   * Registers the test set of a zip: a problem package of Kattis or ICPC, or pairs of `*.in` and `*.ans` or `*.out`. `notes` name what
   * of it has no meaning here. The name is by default that of the package. Throws as `create`.
   */
  async import(
    zip: Uint8Array,
    { name = '', version = '', ...options }: CallOptions & { name?: string; version?: string } = {},
  ): Promise<{ testSet: TestSet; notes: PackageNote[] }> {
    refuseOthers(options, CALL_OPTIONS);
    const requests = async function* () {
      yield ImportTestSetRequest.create({ name, version });
      for (const data of piecesOfBytes(zip)) yield ImportTestSetRequest.create({ data });
    };
    const answer = await this.#connection.upload(IMPORT, requests, options, { repeatable: false, ...UNLIMITED });
    return { testSet: answer.testSet!, notes: answer.notes };
  }

  /** Throws NotFoundError. */
  async get(testSetId: string, options: CallOptions = {}): Promise<TestSet> {
    refuseOthers(options, CALL_OPTIONS);
    return (await this.#connection.unary(GET, { testSetId }, options, { repeatable: true })).testSet!;
  }

  /** Newest first; with `name`, only those of this name. */
  list({ name = '', ...options }: CallOptions & { name?: string } = {}): Paged<TestSet> {
    refuseOthers(options, CALL_OPTIONS);
    return new Paged(async (pageToken) => {
      const request = { pageSize: 0, pageToken, name };
      const answer = await this.#connection.unary(LIST, request, options, { repeatable: true });
      return { items: answer.testSets, nextPageToken: answer.nextPageToken };
    });
  }

  /** Executions that were submitted before still have it. Throws NotFoundError. */
  async delete(testSetId: string, options: CallOptions = {}): Promise<void> {
    refuseOthers(options, CALL_OPTIONS);
    await this.#connection.unary(DELETE, { testSetId }, options, { repeatable: false });
  }
}

const OPTIONS = [
  'name',
  'version',
  'cases',
  'comparison',
  'floatTolerance',
  'caseInsensitive',
  'checker',
  'interactor',
  'groups',
  'limits',
  'compileLimits',
  'timeMultipliers',
];

function toCreateRequest(testSet: NewTestSet): CreateTestSetRequest {
  refuseOthers(testSet, OPTIONS);
  const {
    cases,
    checker,
    interactor,
    groups = [],
    comparison,
    limits,
    compileLimits,
    timeMultipliers,
    ...rest
  } = testSet;
  return CreateTestSetRequest.create({
    ...rest,
    cases: cases.map(toCase),
    checker: checker && toChecker(checker),
    interactor: interactor && toChecker(interactor),
    groups: groups.map(toGroup),
    comparison: (comparison ?? 'COMPARISON_UNSPECIFIED') as Comparison,
    limits: toLimits(limits),
    compileLimits: toLimits(compileLimits),
    timeMultipliers: { ...timeMultipliers },
  });
}
