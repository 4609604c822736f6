import type { Catalog } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, RUN_TIMES } from '#libs/catalog/limits.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type { CreateTestSetRequest } from '#proto/drydock/v1/test_set.ts';
import { checkInput, inlineBytes } from '../executions/inputs.ts';
import { checkChecker, checkInteractor } from '../executions/judges.ts';
import { findLanguage } from '../executions/programs.ts';
import { checkScoring } from '../executions/test-groups.ts';
import { scaled } from '../executions/test-sets.ts';
import {
  MAX_SET_CASE_NAME,
  MAX_SET_CASES,
  NOT_FOR_CASES,
  NOT_FOR_COMPILERS,
  RUN_LIMIT_APPLIES,
} from '../executions/validation.ts';
import { checkRequestId, MiB } from '../requests/checks.ts';

export const MAX_LABEL = 128;
const MAX_INLINE_BYTES = 10 * MiB;
const MAX_MULTIPLIER = 100;
/** Which template an execution will have is not known, so limits are held against the widest. */
const ANY_TEMPLATE = { memoryBytes: 8192 * MiB, processes: 4096, diskBytes: MiB, cpus: 16 };

/**
 * Checks a test set, but for its blobs. What depends on the language, such as the disk that fits into the memory, is checked for each
 * execution. Errors: INVALID_FIELD, LANGUAGE_NOT_FOUND.
 */
export function checkTestSet(request: CreateTestSetRequest, catalog: Catalog): void {
  const check = checkFields();
  checkRequestId(check, request.requestId);
  check.string('name', request.name, { required: true, maxLength: MAX_LABEL });
  check.string('version', request.version, { maxLength: MAX_LABEL });
  checkCases(check, request);
  const { floatTolerance = 1e-6 } = request;
  if (!(floatTolerance > 0 && floatTolerance <= 1)) check.violation('floatTolerance', 'must be above 0 and at most 1');
  for (const [field, times] of timesOf(check, request, catalog)) checkTimes(check, request, field, times);
  refuse(check, 'compileLimits', request.compileLimits, NOT_FOR_COMPILERS);
  applyLimits('compileLimits', request.compileLimits, ANY_TEMPLATE, COMPILE_TIMES, check.violation);
  const { cases, groups, checker, interactor } = request;
  checkScoring(check, 'cases', cases, groups);
  if (checker) checkChecker(check, checker, catalog);
  checkInteractor(check, { interactor, checker, keepTranscript: false }, catalog);
  check.done();
}

function checkCases(check: FieldChecks, { cases }: CreateTestSetRequest): void {
  if (cases.length === 0 || cases.length > MAX_SET_CASES)
    check.violation('cases', `must be 1 to ${MAX_SET_CASES}, and are ${cases.length}`);
  if (cases.reduce((sum, each) => sum + inlineBytes(each), 0) > MAX_INLINE_BYTES)
    check.violation('cases', 'have more than 10 MiB of text and bytes; put the rest as blobs');
  for (const [index, each] of cases.entries()) {
    const field = `cases[${index}]`;
    check.string(`${field}.name`, each.name, { maxLength: MAX_SET_CASE_NAME });
    checkInput(check, `${field}.`, each);
    refuse(check, `${field}.limits`, each.limits, NOT_FOR_CASES);
  }
}

/** The multipliers, and where there are none the plain limits, each with the field that says so. */
function timesOf(check: FieldChecks, { timeMultipliers }: CreateTestSetRequest, catalog: Catalog): [string, number][] {
  const times: [string, number][] = [['', 1]];
  for (const [language, multiplier] of Object.entries(timeMultipliers)) {
    findLanguage(catalog, language);
    const field = `timeMultipliers.${firstCharacters(language, 64)}`;
    if (multiplier > 0 && multiplier <= MAX_MULTIPLIER) times.push([field, multiplier]);
    else check.violation(field, `must be above 0 and at most ${MAX_MULTIPLIER}`);
  }
  return times;
}

/** Reports limits that are out of range, or become so when they are multiplied. */
function checkTimes(check: FieldChecks, { limits, cases }: CreateTestSetRequest, field: string, times: number): void {
  const violation = (own: string, description: string) =>
    check.violation(field || own, field ? `makes ${own} wrong, which ${description}` : description);
  applyLimits('limits', limits && scaled(limits, times), ANY_TEMPLATE, RUN_TIMES, violation);
  for (const [index, { limits: own }] of cases.entries())
    if (own) applyLimits(`cases[${index}].limits`, scaled(own, times), ANY_TEMPLATE, RUN_TIMES, violation);
}

function refuse(
  check: FieldChecks,
  field: string,
  limits: ResourceLimits | undefined,
  names: readonly (keyof ResourceLimits)[],
): void {
  for (const name of names)
    if ((limits ?? ResourceLimits.create())[name] !== undefined) check.violation(`${field}.${name}`, RUN_LIMIT_APPLIES);
}
