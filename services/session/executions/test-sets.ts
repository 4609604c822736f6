import { LRUCache } from 'lru-cache';
import type { Catalog } from '#libs/catalog/catalog.ts';
import { durationOf, millisecondsOf } from '#libs/catalog/limits.ts';
import { DrydockError } from '#libs/errors.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import { isId } from '#libs/ids.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import { CaseSpec, type ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Checker, Interactor, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { TestSet } from '#proto/drydock/v1/test_set.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { isGiven } from './inputs.ts';
import { checkFiles, MAX_JUDGE_BYTES } from './source-files.ts';
import { checkScoring } from './test-groups.ts';

const CACHE_BYTES = 64 * 1024 * 1024;
const COMBINED = 'cannot be combined with testSet';

export type TestSets = {
  /** A test set of the organisation; with `deleted`, also one that executions keep. Errors: TEST_SET_NOT_FOUND. */
  find(organizationId: string, id: string, options?: { deleted?: boolean }): Promise<TestSet>;
};

export const noTestSet = () => new DrydockError('TEST_SET_NOT_FOUND', 'no such test set');

/** Reads test sets, and keeps those that were used last: they never change. */
export function createTestSets(db: Queryable): TestSets {
  const kept = new LRUCache<string, TestSet>({ maxSize: CACHE_BYTES });
  return {
    async find(organizationId, id, { deleted = false } = {}) {
      if (!isId('tst', id)) throw noTestSet();
      const known = kept.get(id);
      const [row] = await db.query<{ content: Buffer | null }>(
        `select case when $3 then null else content end as content from test_sets
         where id = $1 and organization_id = $2 and ($4 or delete_time is null)`,
        [id, organizationId, known !== undefined, deleted],
      );
      if (!row) throw noTestSet();
      if (known) return known;
      const testSet = TestSet.decode(row.content!);
      kept.set(id, testSet, { size: row.content!.length + 1 });
      return testSet;
    },
  };
}

/** A request with all that its test set says. What says how an execution is judged cannot be set beside it. */
export function withTestSet(check: FieldChecks, request: RunCodeRequest, testSet: TestSet): RunCodeRequest {
  if (request.testCases.length > 0) check.violation('testCases', COMBINED);
  if (isGiven(request)) check.violation('stdin', `and the expected output ${COMBINED}`);
  if (request.comparison !== 'COMPARISON_UNSPECIFIED') check.violation('comparison', COMBINED);
  if (request.floatTolerance !== undefined) check.violation('floatTolerance', COMBINED);
  if (request.caseInsensitive) check.violation('caseInsensitive', COMBINED);
  if (request.floatAbsoluteTolerance !== undefined) check.violation('floatAbsoluteTolerance', COMBINED);
  if (request.floatRelativeTolerance !== undefined) check.violation('floatRelativeTolerance', COMBINED);
  if (request.checker) check.violation('checker', COMBINED);
  if (request.interactor) check.violation('interactor', COMBINED);
  if (request.groups.length > 0) check.violation('groups', COMBINED);
  const times = testSet.timeMultipliers[request.language] ?? 1;
  return {
    ...request,
    testCases: testSet.cases.map((each) => (each.limits ? { ...each, limits: scaled(each.limits, times) } : each)),
    comparison: testSet.comparison,
    floatTolerance: testSet.floatTolerance,
    caseInsensitive: testSet.caseInsensitive,
    floatAbsoluteTolerance: undefined,
    floatRelativeTolerance: undefined,
    checker: testSet.checker,
    interactor: testSet.interactor,
    groups: testSet.groups,
    limits: over(testSet.limits && scaled(testSet.limits, times), request.limits),
    compileLimits: over(testSet.compileLimits, request.compileLimits),
  };
}

/** Limits whose times are multiplied. */
export function scaled(limits: ResourceLimits, times: number): ResourceLimits {
  if (times === 1) return limits;
  const scale = (time: Duration | undefined) => time && durationOf(millisecondsOf(time) * times);
  return { ...limits, wallTime: scale(limits.wallTime), cpuTime: scale(limits.cpuTime) };
}

function over(usual: ResourceLimits | undefined, own: ResourceLimits | undefined): ResourceLimits | undefined {
  if (!usual || !own) return own ?? usual;
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  return ResourceLimits.create({ ...usual, ...Object.fromEntries(given) });
}

/** A spec as an execution's record has it: without what its test set has. */
export function toRecord(spec: ExecutionSpec): ExecutionSpec {
  if (!spec.testSetId) return spec;
  const { checker, interactor, run } = spec;
  return {
    ...spec,
    groups: [],
    cases: spec.cases.map(({ limits, command }) =>
      CaseSpec.create({ command, limits: limits === run?.limits ? undefined : limits }),
    ),
    checker: checker && { ...checker, files: [] },
    interactor: interactor && { ...interactor, files: [] },
  };
}

/** The spec of a record, complete again. */
export function fromRecord(spec: ExecutionSpec, testSet: TestSet | undefined, catalog: Catalog): ExecutionSpec {
  if (!testSet) return spec;
  const { checker, interactor, run } = spec;
  const { points, groups } = checkScoring(checkFields(), 'cases', testSet.cases, testSet.groups);
  return {
    ...spec,
    groups,
    cases: testSet.cases.map(({ name, stdinBlob, expectedOutputBlob, group }, index) => {
      const recorded = spec.cases[index] ?? CaseSpec.create();
      const limits = recorded.limits ?? run?.limits;
      return { ...recorded, name, stdinBlob, expectedOutputBlob, limits, group, points: points[index]! };
    }),
    checker: checker && { ...checker, files: filesOf(testSet.checker, catalog) },
    interactor: interactor && { ...interactor, files: filesOf(testSet.interactor, catalog) },
  };
}

function filesOf(judge: Checker | Interactor | undefined, { languages }: Catalog) {
  return judge ? checkFiles(checkFields(), judge, languages.get(judge.language), MAX_JUDGE_BYTES).files : [];
}
