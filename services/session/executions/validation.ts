import type { Catalog, Language, Template } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, millisecondsOf, RUN_TIMES } from '#libs/catalog/limits.ts';
import { planProgram } from '#libs/catalog/program.ts';
import { DrydockError, invalidField } from '#libs/errors.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import {
  type AppliedLimits,
  type CaseSpec,
  type CheckerSpec,
  type ExecutionSpec,
  type ExecutionStep,
  SandboxSpec,
} from '#proto/drydock/internal/v1/spec.ts';
import type { Checker, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type { TestSet } from '#proto/drydock/v1/test_set.ts';
import { checkEnvironment, checkRequestId, findTemplate, KiB, MiB, refuseLimits } from '../requests/checks.ts';
import { checkInput, inlineBytes, isGiven } from './inputs.ts';
import { checkFiles, MAX_CHECKER_BYTES } from './source-files.ts';
import { withTestSet } from './test-sets.ts';

const MAX_SOURCE_BYTES = 10 * MiB;
const MAX_INPUT_BYTES = 10 * MiB;
const MAX_OPTIONS = 64;
const MAX_ARGUMENTS = 1024;
const MAX_ARGUMENT_BYTES = 128 * KiB;
const MAX_CASES = 100;
const MAX_CASE_NAME = 64;
/** Of test sets. */
export const MAX_SET_CASES = 1000;
export const MAX_SET_CASE_NAME = 255;
const MAX_RUNS_MS = 3_600_000;
const NO_TIME = { seconds: 0, nanos: 0 };
const DEFAULT_FLOAT_TOLERANCE = 1e-6;
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
  const tolerance = request.floatTolerance ?? DEFAULT_FLOAT_TOLERANCE;
  if (!(tolerance > 0 && tolerance <= 1)) check.violation('floatTolerance', 'must be above 0 and at most 1');
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
  const cases = checkCases(check, request, template, limits);
  const checker = request.checker && checkChecker(check, request.checker, catalog);
  const runsMs = cases.reduce(
    (sum, { limits }) =>
      sum + millisecondsOf(limits!.wallTime!) + millisecondsOf(checker?.run?.limits?.wallTime ?? NO_TIME),
    0,
  );
  if (runsMs > MAX_RUNS_MS)
    check.violation('testCases', 'may take longer than an hour together; give them less wallTime');
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
      reportsCases: request.testCases.length > 0,
      comparison: request.comparison === 'COMPARISON_UNSPECIFIED' ? 'TRAILING_SPACE' : request.comparison,
      floatTolerance: tolerance,
      caseInsensitive: request.caseInsensitive,
      checker,
      isolation: request.isolation,
      testSetId: request.testSet,
    },
  };
}

/** A check of the syntax has the times of a compiler, and what else the run has. */
function limitsOfCheck({ memoryBytes, processes, cpus }: AppliedLimits, compileLimits: AppliedLimits): AppliedLimits {
  return { ...compileLimits, memoryBytes, processes, cpus };
}

function stepOf(
  command: string[],
  environment: Record<string, string>,
  limits: AppliedLimits,
  language?: Language,
): ExecutionStep {
  return {
    command,
    environment,
    limits,
    heapFullSignal: language?.heapFull ?? '',
    interruptSignal: language?.interrupt ?? '',
    streamEnvironment: { ...language?.streamEnvironment },
  };
}

/** The runs of the program: one for each test case, or one without test cases. */
function checkCases(
  check: FieldChecks,
  request: RunCodeRequest,
  template: Template,
  limits: AppliedLimits,
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
    const { name, limits: own } = each;
    const field = `testCases[${index}]`;
    check.string(`${field}.name`, name, { maxLength: maxName });
    const applied = own ? applyOwn(check, `${field}.limits`, request, own, template, limits) : limits;
    return { ...checkInput(check, `${field}.`, each), name, limits: applied };
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

/** A checker's program, without its sandbox's ids. Violations are added to `check`. */
export function checkChecker(check: FieldChecks, checker: Checker, catalog: Catalog): CheckerSpec {
  const language = findLanguage(catalog, checker.language);
  const template = findTemplate(catalog, language.template);
  const inChecker: FieldChecks = {
    ...check,
    violation: (field, description) => check.violation(`checker.${field}`, description),
  };
  const { files, entrypoint, mainClass } = checkFiles(inChecker, checker, language, MAX_CHECKER_BYTES);
  const times = ResourceLimits.create({ wallTime: checker.wallTime, cpuTime: checker.wallTime });
  const limits = applyLimits('checker', checker.wallTime && times, template.limits, RUN_TIMES, check.violation);
  const compileLimits = applyLimits('checker', undefined, template.limits, COMPILE_TIMES, check.violation);
  const names = files.map(({ name }) => name);
  const words = ['input', 'output', 'expected'];
  const program = { files: names, entrypoint, mainClass, compilerOptions: [], arguments: words };
  const { compile, run } = planProgram(language, program, limits);
  const environment = { ...language.environment };
  return {
    sandbox: SandboxSpec.create({ template: template.id, limits }),
    files,
    compile: compile && stepOf(compile, environment, compileLimits),
    run: stepOf(run, environment, limits),
  };
}

function checkArguments(check: FieldChecks, field: string, list: string[], max: number): void {
  if (list.length > max) check.violation(field, `are more than ${max}`);
  if (list.some((argument) => argument.includes('\0'))) check.violation(field, 'contain a NUL character');
  if (list.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0) > MAX_ARGUMENT_BYTES)
    check.violation(field, 'are larger than 128 KiB');
}

/** Errors: LANGUAGE_NOT_FOUND. */
export function findLanguage({ languages }: Catalog, name: string): Language {
  const language = languages.get(name);
  if (language) return language;
  throw new DrydockError(
    'LANGUAGE_NOT_FOUND',
    `unknown language '${firstCharacters(name, 64)}'; ListLanguages names them`,
  );
}
