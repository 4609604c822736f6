import type { Catalog, Template } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, millisecondsOf, RUN_TIMES } from '#libs/catalog/limits.ts';
import { planProgram } from '#libs/catalog/program.ts';
import { invalidField } from '#libs/errors.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import type { AppliedLimits, CaseSpec, CheckerSpec, ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type { TestSet } from '#proto/drydock/v1/test_set.ts';
import { checkEnvironment, checkRequestId, findTemplate, MiB, refuseLimits } from '../requests/checks.ts';
import { checkInput, inlineBytes, isGiven } from './inputs.ts';
import { checkChecker, checkInteractor } from './judges.ts';
import { checkArguments, findLanguage, stepOf } from './programs.ts';
import { checkFiles } from './source-files.ts';
import { checkScoring, type Scoring } from './test-groups.ts';
import { withTestSet } from './test-sets.ts';
import { checkTolerances } from './tolerances.ts';

const MAX_SOURCE_BYTES = 10 * MiB;
const MAX_INPUT_BYTES = 10 * MiB;
const MAX_OPTIONS = 64;
const MAX_ARGUMENTS = 1024;
const MAX_CASES = 100;
const MAX_PARALLELISM = 16;
const MAX_CASE_NAME = 64;
/** Of test sets. */
export const MAX_SET_CASES = 1000;
export const MAX_SET_CASE_NAME = 255;
const MAX_RUNS_MS = 3_600_000;
// By so much an interactor may outlive its program.
const TALK_MARGIN_MS = 5_000;
const NO_TIME = { seconds: 0, nanos: 0 };
export const NOT_FOR_COMPILERS = [
  'memoryBytes',
  'processes',
  'diskBytes',
  'cpus',
  'stackBytes',
  'fileBytes',
  'openFiles',
] as const;
export const NOT_FOR_CASES = ['processes', 'diskBytes', 'cpus', 'stackBytes', 'fileBytes', 'openFiles'] as const;
export const RUN_LIMIT_APPLIES = "cannot be set; the run's limit applies";
// The lifetime of an execution's sandbox beyond its time limits: start, files, collecting results.
const EXECUTION_MARGIN_MS = 60_000;

export type CheckedExecution = {
  language: string;
  template: Template;
  /** Complete except for the ids and the deadlines of its sandboxes. */
  spec: Omit<ExecutionSpec, 'executionId' | 'sandbox'>;
  sandboxLimits: AppliedLimits;
  /** Limit of the whole run. */
  lifetimeMs: number;
};

/** A checked request to run code, with the test set that it names. Errors: INVALID_FIELD, LANGUAGE_NOT_FOUND, TEMPLATE_NOT_FOUND. */
export function checkExecution(asked: RunCodeRequest, catalog: Catalog, testSet?: TestSet): CheckedExecution {
  const language = asked.language ? findLanguage(catalog, asked.language) : undefined;
  const check = checkFields();
  const request = testSet ? withTestSet(check, asked, testSet) : asked;
  if (language && (request.template || request.command.length > 0))
    check.violation('language', 'cannot be combined with template and command');
  if (!language && !(request.template && request.command.length > 0))
    throw invalidField('language', 'set language, or template and command');
  const template = findTemplate(catalog, language?.template ?? request.template);

  checkRequestId(check, request.requestId);
  checkEnvironment(check, request.environment);
  checkArguments(check, 'command', request.command, MAX_ARGUMENTS);
  checkArguments(check, 'arguments', request.arguments, MAX_ARGUMENTS);
  checkArguments(check, 'compilerOptions', request.compilerOptions, MAX_OPTIONS);
  const tolerances = checkTolerances(check, request);
  refuseLimits(check, 'compileLimits', request.compileLimits, NOT_FOR_COMPILERS, RUN_LIMIT_APPLIES);
  const { files, entrypoint, mainClass } = checkFiles(check, request, language, MAX_SOURCE_BYTES);
  const limits = applyLimits('limits', request.limits, template.limits, RUN_TIMES, check.violation);
  const compileLimits = applyLimits(
    'compileLimits',
    request.compileLimits,
    template.limits,
    COMPILE_TIMES,
    check.violation,
  );
  if (!(request.parallelism >= 0 && request.parallelism <= MAX_PARALLELISM))
    check.violation('parallelism', `must be from 1 to ${MAX_PARALLELISM}`);
  const { points, ...scoring } = checkScoring(check, 'testCases', request.testCases, request.groups);
  const cases = checkCases(check, request, template, limits, points);
  const checker = request.checker && checkChecker(check, request.checker, catalog);
  const interactor = checkInteractor(check, request, catalog);
  const runsMs = checkRunTimes(check, cases, interactor ?? checker, interactor ? TALK_MARGIN_MS : 0);
  check.done();

  const names = files.map(({ name }) => name);
  const { compilerOptions, arguments: words } = request;
  const plan = (limits: AppliedLimits) =>
    language
      ? planProgram(language, { files: names, entrypoint, mainClass, compilerOptions, arguments: words }, limits)
      : { compile: undefined, run: [...request.command, ...words], check: undefined };
  const { compile, run, check: syntax } = plan(limits);
  const onceMs = [compile, syntax].filter((step) => step).length * millisecondsOf(compileLimits.wallTime!);
  for (const each of cases) if (each.limits !== limits) each.command = plan(each.limits!).run;
  return {
    language: language?.name ?? '',
    template,
    sandboxLimits: limits,
    lifetimeMs: runsMs + onceMs + EXECUTION_MARGIN_MS,
    spec: {
      files,
      compile: compile && stepOf(compile, { ...language?.environment }, compileLimits),
      run: stepOf(run, { ...language?.environment, ...request.environment }, limits, language),
      check: syntax && stepOf(syntax, { ...language?.environment }, limitsOfCheck(limits, compileLimits)),
      cases,
      stopAtFirstFailure: request.stopAtFirstFailure,
      parallelism: Math.max(1, request.parallelism),
      reportsCases: request.testCases.length > 0,
      comparison: request.comparison === 'COMPARISON_UNSPECIFIED' ? 'TRAILING_SPACE' : request.comparison,
      ...tolerances,
      ...scoring,
      caseInsensitive: request.caseInsensitive,
      checker,
      interactor,
      keepTranscript: request.keepTranscript,
      isolation: request.isolation,
      testSetId: request.testSet,
    },
  };
}

/** A check of the syntax has the times of a compiler, and what else the run has. */
function limitsOfCheck({ memoryBytes, processes, cpus }: AppliedLimits, compileLimits: AppliedLimits): AppliedLimits {
  return { ...compileLimits, memoryBytes, processes, cpus };
}

/** How long all runs may take together, with their judging. */
function checkRunTimes(
  check: FieldChecks,
  cases: CaseSpec[],
  judge: CheckerSpec | undefined,
  marginMs: number,
): number {
  const judgeMs = marginMs + millisecondsOf(judge?.run?.limits?.wallTime ?? NO_TIME);
  const runsMs = cases.reduce((sum, { limits }) => sum + millisecondsOf(limits!.wallTime!) + judgeMs, 0);
  if (runsMs > MAX_RUNS_MS)
    check.violation('testCases', 'may take longer than an hour together; give them less wallTime');
  return runsMs;
}

/** The runs of the program: one for each test case, or one without test cases. */
function checkCases(
  check: FieldChecks,
  request: RunCodeRequest,
  template: Template,
  limits: AppliedLimits,
  points: Scoring['points'],
): CaseSpec[] {
  const { testCases, testSet } = request;
  if (testCases.length === 0) {
    const given = checkInput(check, '', request);
    if (given.stdin.length > MAX_INPUT_BYTES) check.violation('stdin', 'is larger than 10 MiB');
    return [{ ...given, limits }];
  }
  const [maxCases, maxName] = testSet ? [MAX_SET_CASES, MAX_SET_CASE_NAME] : [MAX_CASES, MAX_CASE_NAME];
  if (testCases.length > maxCases) check.violation('testCases', `are more than ${maxCases}`);
  if (!testSet) refuseInput(check, request);
  const bytes = testCases.reduce((sum, each) => sum + inlineBytes(each), 0);
  if (bytes > MAX_INPUT_BYTES) check.violation('testCases', 'are larger than 10 MiB');
  return testCases.slice(0, maxCases).map((each, index) => {
    const { name, limits: own, group } = each;
    const field = `testCases[${index}]`;
    check.string(`${field}.name`, name, { maxLength: maxName });
    const applied = own ? applyOwn(check, `${field}.limits`, request, own, template, limits) : limits;
    return { ...checkInput(check, `${field}.`, each), name, limits: applied, group, points: points[index] ?? 0 };
  });
}

/** Beside test cases. */
function refuseInput(check: FieldChecks, request: RunCodeRequest): void {
  const { expectedOutput, expectedOutputBlob } = request;
  if (isGiven({ ...request, expectedOutput: undefined, expectedOutputBlob: '' }))
    check.violation('stdin', 'cannot be combined with testCases');
  if (expectedOutput !== undefined || expectedOutputBlob)
    check.violation('expectedOutput', 'cannot be combined with testCases');
}

/** A case's own limits over those of the request. */
function applyOwn(
  check: FieldChecks,
  field: string,
  request: RunCodeRequest,
  own: ResourceLimits,
  template: Template,
  limits: AppliedLimits,
): AppliedLimits {
  refuseLimits(check, field, own, NOT_FOR_CASES, 'is that of the request');
  const given = Object.entries(own).filter(([, value]) => value !== undefined);
  const both = ResourceLimits.create({ ...request.limits, ...Object.fromEntries(given) });
  const applied = applyLimits(field, both, template.limits, RUN_TIMES, check.violation);
  // The disk is in memory, and is there before the first case.
  if (applied.memoryBytes < 2 * limits.diskBytes)
    check.violation(`${field}.memoryBytes`, `must be at least ${2 * limits.diskBytes}, twice the disk`);
  return { ...applied, diskBytes: limits.diskBytes };
}
