import type { Catalog } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, RUN_TIMES } from '#libs/catalog/limits.ts';
import { planProgram } from '#libs/catalog/program.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import { type CheckerSpec, SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Checker } from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { findTemplate, MiB } from '../requests/checks.ts';
import { checkArguments, findLanguage, stepOf } from './programs.ts';
import { checkFiles } from './source-files.ts';

const MAX_CHECKER_BYTES = MiB;
const MAX_ARGUMENTS = 64;

const ARGUMENTS = {
  DRYDOCK: ['input', 'output', 'expected'],
  TESTLIB: ['input', 'output', 'answer'],
  KATTIS: ['input', 'answer', 'feedback/'],
} as const;

/** A checker as it is run. Violations have fields of `checker`. Errors: LANGUAGE_NOT_FOUND. */
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
  checkArguments(inChecker, 'arguments', checker.arguments, MAX_ARGUMENTS);
  const protocol = checker.protocol === 'PROTOCOL_UNSPECIFIED' ? 'DRYDOCK' : checker.protocol;
  const words = [...ARGUMENTS[protocol], ...checker.arguments];
  const program = { files: names, entrypoint, mainClass, compilerOptions: [], arguments: words };
  const { compile, run } = planProgram(language, program, limits);
  const environment = { ...language.environment };
  return {
    sandbox: SandboxSpec.create({ template: template.id, limits }),
    files,
    compile: compile && stepOf(compile, environment, compileLimits),
    run: stepOf(run, environment, limits),
    protocol,
  };
}
