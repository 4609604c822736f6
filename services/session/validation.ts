import type { Catalog, Language, Template } from '#libs/catalog/catalog.ts';
import { applyLimits, COMPILE_TIMES, millisecondsOf, RUN_TIMES } from '#libs/catalog/limits.ts';
import { planProgram } from '#libs/catalog/program.ts';
import { DrydockError, invalidField } from '#libs/errors.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import type { AppliedLimits, ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { RunCodeRequest, SourceFile } from '#proto/drydock/v1/execution.ts';
import type { ResourceLimits } from '#proto/drydock/v1/resources.ts';
import type { CreateSandboxRequest, UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';

const KiB = 1024;
const MiB = 1024 * KiB;

const DEFAULT_LIFETIME_MS = 5 * 60_000;
const MIN_LIFETIME_MS = 1_000;
const MAX_LIFETIME_MS = 24 * 3_600_000;
const MAX_VARIABLES = 128;
const MAX_ENVIRONMENT_BYTES = 32 * KiB;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const MAX_LABELS = 32;
const MAX_LABEL_KEY = 64;
const MAX_LABEL_VALUE = 256;
const MAX_SOURCE_BYTES = 10 * MiB;
const MAX_FILES = 1000;
const MAX_FILE_NAME_BYTES = 255;
const MAX_OPTIONS = 64;
const MAX_ARGUMENTS = 1024;
const MAX_ARGUMENT_BYTES = 128 * KiB;
const DEFAULT_FLOAT_TOLERANCE = 1e-6;
const EXECUTION_ONLY = ['wallTime', 'cpuTime', 'outputBytes'] as const;
const NOT_FOR_COMPILERS = ['memoryBytes', 'processes', 'diskBytes', 'cpus'] as const;
// What an execution's sandbox lives beyond its time limits: start, files, collecting.
const EXECUTION_MARGIN_MS = 60_000;

export type CheckedSandbox = { template: Template; limits: AppliedLimits; lifetimeMs: number };

/** A checked request: what it becomes, but for ids. */
export function checkSandbox(request: CreateSandboxRequest, catalog: Catalog): CheckedSandbox {
  const template = findTemplate(catalog, request.template);
  const check = checkFields();
  refuseLimits(check, 'limits', request.limits, EXECUTION_ONLY, 'is for executions; a sandbox has its lifetime');
  checkRequestId(check, request.requestId);
  checkEnvironment(check, request.environment);
  checkMetadata(check, request.metadata);
  const lifetimeMs = checkLifetime(check, request.lifetime) ?? DEFAULT_LIFETIME_MS;
  const limits = applyLimits('limits', request.limits, template.limits, RUN_TIMES, check.violation);
  check.done();
  return { template, limits, lifetimeMs };
}

/** What an update asks for: absent is left as it is. */
export function checkChange(request: UpdateSandboxRequest): { lifetimeMs?: number; metadata?: Record<string, string> } {
  const { lifetime, metadata } = request;
  const named = request.updateMask ?? [];
  const set = [...(lifetime ? ['lifetime'] : []), ...(Object.keys(metadata).length > 0 ? ['metadata'] : [])];
  const paths = named.length > 0 ? named : set;
  const check = checkFields();
  checkRequestId(check, request.requestId);
  for (const path of paths)
    if (path !== 'lifetime' && path !== 'metadata')
      check.violation('updateMask', `cannot change '${path.slice(0, 64)}'`);
  if (paths.length === 0) check.violation('updateMask', 'names nothing to change');
  if (paths.includes('lifetime') && !lifetime) check.violation('lifetime', 'is required');
  const lifetimeMs = paths.includes('lifetime') ? checkLifetime(check, lifetime) : undefined;
  checkMetadata(check, metadata);
  check.done();
  return { ...(lifetimeMs ? { lifetimeMs } : {}), ...(paths.includes('metadata') ? { metadata } : {}) };
}

function checkLifetime(check: FieldChecks, lifetime: Duration | undefined): number | undefined {
  if (!lifetime) return undefined;
  const ms = millisecondsOf(lifetime);
  if (!(ms >= MIN_LIFETIME_MS && ms <= MAX_LIFETIME_MS)) check.violation('lifetime', 'must be from 1 s to 24 h');
  return ms;
}

function checkMetadata(check: FieldChecks, metadata: Record<string, string>): void {
  const labels = Object.entries(metadata);
  if (labels.length > MAX_LABELS) check.violation('metadata', `has more than ${MAX_LABELS} labels`);
  for (const [key, value] of labels) {
    check.string('metadata', key, { required: true, maxLength: MAX_LABEL_KEY });
    check.string(`metadata.${key.slice(0, MAX_LABEL_KEY)}`, value, { maxLength: MAX_LABEL_VALUE });
  }
}

export type CheckedExecution = {
  language: string;
  template: Template;
  /** Complete but for the ids and the deadline of its sandbox. */
  spec: Omit<ExecutionSpec, 'executionId' | 'sandbox'>;
  sandboxLimits: AppliedLimits;
  /** How long it may take in all. */
  lifetimeMs: number;
};

/** A checked request to run code. */
export function checkExecution(request: RunCodeRequest, catalog: Catalog): CheckedExecution {
  const language = request.language ? findLanguage(catalog, request.language) : undefined;
  const check = checkFields();
  if (language && (request.template || request.command.length > 0))
    check.violation('language', 'goes without template and command');
  if (!language && !(request.template && request.command.length > 0))
    throw invalidField('language', 'or template and command are required');
  const template = findTemplate(catalog, language?.template ?? request.template);

  checkRequestId(check, request.requestId);
  checkEnvironment(check, request.environment);
  checkArguments(check, 'command', request.command, MAX_ARGUMENTS);
  checkArguments(check, 'arguments', request.arguments, MAX_ARGUMENTS);
  checkArguments(check, 'compilerOptions', request.compilerOptions, MAX_OPTIONS);
  if (Buffer.byteLength(request.stdin) > MAX_SOURCE_BYTES) check.violation('stdin', 'is larger than 10 MiB');
  if (request.isolation === 'CELL') check.violation('isolation', 'CELL is not offered by this deployment; use SANDBOX');
  const tolerance = request.floatTolerance ?? DEFAULT_FLOAT_TOLERANCE;
  if (!(tolerance > 0 && tolerance <= 1)) check.violation('floatTolerance', 'must be above 0 and at most 1');
  refuseLimits(check, 'compileLimits', request.compileLimits, NOT_FOR_COMPILERS, 'is that of the run');
  const { files, entrypoint } = checkFiles(check, request, language);
  const limits = applyLimits('limits', request.limits, template.limits, RUN_TIMES, check.violation);
  const compileLimits = applyLimits(
    'compileLimits',
    request.compileLimits,
    template.limits,
    COMPILE_TIMES,
    check.violation,
  );
  check.done();

  const names = files.map(({ name }) => name);
  const { compile, run } = language
    ? planProgram(language, {
        files: names,
        entrypoint,
        compilerOptions: request.compilerOptions,
        arguments: request.arguments,
      })
    : { compile: undefined, run: [...request.command, ...request.arguments] };
  const environment = { ...language?.environment, ...request.environment };
  return {
    language: language?.name ?? '',
    template,
    sandboxLimits: limits,
    lifetimeMs:
      millisecondsOf(limits.wallTime!) + (compile ? millisecondsOf(compileLimits.wallTime!) : 0) + EXECUTION_MARGIN_MS,
    spec: {
      files,
      compile: compile && { command: compile, environment, limits: compileLimits },
      run: { command: run, environment, limits },
      stdin: Buffer.from(request.stdin),
      ...(request.expectedOutput === undefined ? {} : { expectedOutput: request.expectedOutput }),
      comparison: request.comparison === 'COMPARISON_UNSPECIFIED' ? 'TRAILING_SPACE' : request.comparison,
      floatTolerance: tolerance,
    },
  };
}

function checkFiles(check: FieldChecks, request: RunCodeRequest, language: Language | undefined) {
  const { source, files } = request;
  if (source && files.length > 0) check.violation('source', 'goes without files');
  if (language && !source && files.length === 0) check.violation('source', 'or files are required');
  if (files.length > MAX_FILES) check.violation('files', `are more than ${MAX_FILES}`);
  const all: SourceFile[] = source
    ? [{ name: request.entrypoint || language?.sourceFile || 'main', content: { $case: 'text', value: source } }]
    : files;
  const names = new Set<string>();
  let bytes = 0;
  for (const [index, { name, content }] of all.entries()) {
    const field = source ? 'entrypoint' : `files[${index}].name`;
    const problem = problemOfName(name);
    if (problem) check.violation(field, problem);
    if (names.has(name)) check.violation(field, 'is there twice');
    if (!content) check.violation(`files[${index}]`, 'needs text or data');
    names.add(name);
    bytes += Buffer.byteLength(content?.value ?? '');
  }
  for (const [index, { name }] of all.entries())
    if (parentsOf(name).some((parent) => names.has(parent)))
      check.violation(`files[${index}].name`, 'has another file as its directory');
  if (bytes > MAX_SOURCE_BYTES) check.violation(source ? 'source' : 'files', 'are larger than 10 MiB');
  const usual = language && names.has(language.sourceFile) ? language.sourceFile : all[0]?.name;
  const entrypoint = request.entrypoint || usual || '';
  if (request.entrypoint && !names.has(entrypoint)) check.violation('entrypoint', 'is not among the files');
  return { files: all, entrypoint };
}

/** The directories that a relative path goes through. */
function parentsOf(name: string): string[] {
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES) return [];
  const parts = name.split('/').slice(0, -1);
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'));
}

function problemOfName(name: string): string | undefined {
  if (!name) return 'is required';
  if (Buffer.byteLength(name) > MAX_FILE_NAME_BYTES) return `is longer than ${MAX_FILE_NAME_BYTES} bytes`;
  if (name.includes('\0')) return 'contains a NUL character';
  if (name.startsWith('/')) return 'must be relative';
  if (name.startsWith('-')) return "must not begin with '-'";
  if (name.split('/').some((part) => part === '..' || part === '.' || part === ''))
    return "must not contain '..', '.' or '//'";
  return undefined;
}

function checkRequestId(check: FieldChecks, requestId: string): void {
  check.string('requestId', requestId, { maxLength: 128 });
}

function checkEnvironment(check: FieldChecks, environment: Record<string, string>): void {
  const variables = Object.entries(environment);
  if (variables.length > MAX_VARIABLES) check.violation('environment', `has more than ${MAX_VARIABLES} variables`);
  let bytes = 0;
  for (const [name, value] of variables) {
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
    if (!VARIABLE_NAME.test(name)) check.violation('environment', 'has a name that is not [A-Za-z_][A-Za-z0-9_]*');
    if (value.includes('\0')) check.violation(`environment.${name.slice(0, 64)}`, 'contains a NUL character');
  }
  if (bytes > MAX_ENVIRONMENT_BYTES) check.violation('environment', 'is larger than 32 KiB');
}

function checkArguments(check: FieldChecks, field: string, list: string[], max: number): void {
  if (list.length > max) check.violation(field, `are more than ${max}`);
  if (list.some((argument) => argument.includes('\0'))) check.violation(field, 'contain a NUL character');
  if (list.reduce((sum, argument) => sum + Buffer.byteLength(argument) + 1, 0) > MAX_ARGUMENT_BYTES)
    check.violation(field, 'are larger than 128 KiB');
}

/** A limit that cannot be kept is refused rather than forgotten. */
function refuseLimits(
  check: FieldChecks,
  field: string,
  limits: ResourceLimits | undefined,
  names: readonly (keyof ResourceLimits)[],
  description: string,
): void {
  for (const name of names) if (limits?.[name] !== undefined) check.violation(`${field}.${name}`, description);
}

function findTemplate({ templates }: Catalog, id: string): Template {
  if (!id) throw invalidField('template', 'is required');
  const template = templates.get(id);
  if (template) return template;
  throw new DrydockError('TEMPLATE_NOT_FOUND', `no template is called '${id.slice(0, 64)}'; ListTemplates names them`);
}

function findLanguage({ languages }: Catalog, name: string): Language {
  const language = languages.get(name);
  if (language) return language;
  throw new DrydockError(
    'LANGUAGE_NOT_FOUND',
    `no language is called '${name.slice(0, 64)}'; ListLanguages names them`,
  );
}
