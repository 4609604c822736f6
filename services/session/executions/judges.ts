import type { Catalog } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, RUN_TIMES } from '#libs/catalog/limits.ts';
import { planProgram } from '#libs/catalog/program.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import { type CheckerSpec, SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Checker, Interactor, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import { findTemplate, MiB } from '../requests/checks.ts';
import { checkArguments, findLanguage, stepOf } from './programs.ts';
import { checkFiles, MAX_JUDGE_BYTES } from './source-files.ts';

const MAX_TALK_BYTES = 4 * MiB;
const MAX_ARGUMENTS = 64;

const ARGUMENTS = {
  DRYDOCK: ['input', 'output', 'expected'],
  TESTLIB: ['input', 'output', 'answer'],
  KATTIS: ['input', 'answer', 'feedback/'],
} as const;

const TALK_ARGUMENTS = {
  DRYDOCK: ['input', 'expected'],
  TESTLIB: ['input', 'output', 'answer'],
  KATTIS: ['input', 'answer', 'feedback/'],
} as const;

/** A checker as it is run. Violations have fields of `checker`. Errors: LANGUAGE_NOT_FOUND. */
export function checkChecker(check: FieldChecks, checker: Checker, catalog: Catalog): CheckerSpec {
  return checkJudge(check, 'checker', checker, ARGUMENTS, catalog);
}

/** An interactor as it is run, with the output limit of its talk. Violations have fields of `interactor`. Errors: LANGUAGE_NOT_FOUND. */
export function checkInteractor(
  check: FieldChecks,
  request: Pick<RunCodeRequest, 'interactor' | 'checker' | 'keepTranscript'>,
  catalog: Catalog,
): CheckerSpec | undefined {
  const { interactor, checker, keepTranscript } = request;
  if (keepTranscript && !interactor) check.violation('keepTranscript', 'needs an interactor');
  if (!interactor) return undefined;
  if (checker) check.violation('interactor', 'cannot be combined with checker');
  const spec = checkJudge(check, 'interactor', interactor, TALK_ARGUMENTS, catalog);
  spec.run!.limits!.outputBytes = MAX_TALK_BYTES;
  return spec;
}

function checkJudge(
  check: FieldChecks,
  field: 'checker' | 'interactor',
  judge: Checker | Interactor,
  words: typeof ARGUMENTS | typeof TALK_ARGUMENTS,
  catalog: Catalog,
): CheckerSpec {
  const language = findLanguage(catalog, judge.language);
  const template = findTemplate(catalog, language.template);
  const within: FieldChecks = {
    ...check,
    violation: (name, description) => check.violation(`${field}.${name}`, description),
  };
  const { files, entrypoint, mainClass } = checkFiles(within, judge, language, MAX_JUDGE_BYTES);
  const times = ResourceLimits.create({ wallTime: judge.wallTime, cpuTime: judge.wallTime });
  const limits = applyLimits(field, judge.wallTime && times, template.limits, RUN_TIMES, check.violation);
  const compileLimits = applyLimits(field, undefined, template.limits, COMPILE_TIMES, check.violation);
  checkArguments(within, 'arguments', judge.arguments, MAX_ARGUMENTS);
  const protocol = judge.protocol === 'PROTOCOL_UNSPECIFIED' ? 'DRYDOCK' : judge.protocol;
  const names = files.map(({ name }) => name);
  const own = [...words[protocol], ...judge.arguments];
  const program = { files: names, entrypoint, mainClass, compilerOptions: [], arguments: own };
  const { compile, run } = planProgram(language, program, limits);
  const environment = { ...language.environment };
  return {
    sandbox: SandboxSpec.create({ template: template.id, limits }),
    files,
    compile: compile && stepOf(compile, environment, compileLimits),
    run: stepOf(run, environment, { ...limits }, field === 'interactor' ? language : undefined),
    protocol,
  };
}
