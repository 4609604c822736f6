import { DrydockError } from '#libs/errors.ts';
import { counter } from '#libs/telemetry.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type {
  AppliedLimits,
  CaseSpec,
  ExecutionSpec,
  ExecutionStep,
  SandboxSpec,
} from '#proto/drydock/internal/v1/spec.ts';
import { CaseResult, type Execution } from '#proto/drydock/v1/execution.ts';
import { type Blobs, openFiles } from './blobs/blobs.ts';
import type { File } from './data.ts';
import { openCase } from './given-case.ts';
import { createComparison, type Judge, type Judgement, openChecker } from './judge.ts';
import { findErrors, openProgram, type Program, succeeded } from './program.ts';
import { shownBytes, summarize, type Tried, toCompileResult, toResultEvent, toTried, wholeOf } from './results.ts';
import type { Slots } from './slots.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import { openWorkspace, type Workspaces } from './workspaces/open.ts';

const finished = counter('executor_executions_total', 'Executions that came to a verdict.', ['verdict', 'isolation']);

export type Dependencies = Workspaces & { slots: Slots; blobs: Blobs };

/** Runs a program case by case and judges it; the last event is the result. */
export async function* runExecution(
  dependencies: Dependencies,
  unchecked: ExecutionSpec,
  streamOutput: boolean,
  signal: AbortSignal,
): AsyncIterable<RunExecutionResponse> {
  const spec = checkSpec(unchecked);
  using _slot = await dependencies.slots.take(signal);
  const { organizationId } = spec.sandbox;
  // All are opened before the first event: until then the scheduler may try another executor.
  await using sources = await openFiles(dependencies.blobs, organizationId, spec.files, signal);
  await using checker = await openFiles(dependencies.blobs, organizationId, spec.checker?.files ?? [], signal);
  await using program = await openProgram(
    workspaceFor(dependencies, spec, spec),
    { files: sources.files, compile: spec.compile, runs: spec.cases.length },
    signal,
  );
  await using judge = await openJudge(dependencies, spec, checker.files, signal);

  const result: Partial<Execution> = { isolation: program.isolation, startTime: new Date() };
  const done = (execution: Partial<Execution>, output?: StepEnd): RunExecutionResponse => {
    finished.inc({ verdict: execution.verdict ?? '', isolation: program.isolation });
    return toResultEvent({ ...result, ...execution }, output);
  };
  if (spec.compile) {
    yield { event: { $case: 'compileStarted', value: {} } };
    const compiled = await program.compile(signal);
    if (compiled) result.compile = toCompileResult(compiled);
    if (compiled && !succeeded(compiled)) {
      return yield done(notCompiled(spec, compiled));
    }
  }
  const tried: Tried[] = [];
  for (const [index, given] of spec.cases.entries()) {
    yield { event: { $case: 'runStarted', value: { caseIndex: index } } };
    const { ended, ...each } = yield* tryCase(
      { spec, program, judge, blobs: dependencies.blobs, streamOutput, signal },
      given,
    );
    const check = mayBeBroken(each, tried) ? spec.check : undefined;
    const broken = check && (await findErrors(program, check, dependencies.log, signal));
    if (broken) return yield done(notCompiled(spec, broken));
    if (!spec.reportsCases) return yield done(wholeOf(each, ended), ended);
    tried.push(each);
    if (spec.stopAtFirstFailure && each.result.verdict !== 'ACCEPTED') break;
  }
  const cases = [...tried.map((each) => each.result), ...spec.cases.slice(tried.length).map(notTried)];
  yield done({ ...summarize(tried), cases });
}

type CheckedSpec = ExecutionSpec & { sandbox: SandboxSpec; run: ExecutionStep };

/** Session completes every spec; an incomplete one is a defect and never means "unlimited". */
function checkSpec(spec: ExecutionSpec): CheckedSpec {
  const { sandbox, compile, run, check, cases, checker } = spec;
  const required = [sandbox, run, ...cases, ...(checker ? [checker.sandbox, checker.run] : [])];
  const optional = [compile, check, checker?.compile].filter((step) => step !== undefined);
  const limited = [...required, ...optional].every((each) => each?.limits);
  if (!sandbox?.organizationId || !run || cases.length === 0 || !limited)
    throw new DrydockError('INTERNAL', 'an execution spec came incomplete');
  return { ...spec, sandbox, run };
}

/** Opens workspaces with the memory of the step that needs most. */
function workspaceFor(
  dependencies: Dependencies,
  { sandbox, compile, run, check, cases = [] }: Pick<CheckedSpec, 'sandbox' | 'run'> & Partial<ExecutionSpec>,
  { isolation }: ExecutionSpec,
) {
  const steps = [compile, run, check, ...cases].flatMap((step) => step?.limits?.memoryBytes ?? []);
  const limits: AppliedLimits = { ...sandbox.limits!, memoryBytes: Math.max(sandbox.limits!.memoryBytes, ...steps) };
  return (signal: AbortSignal) => openWorkspace(dependencies, { ...sandbox, limits }, isolation, signal);
}

function openJudge(
  dependencies: Dependencies,
  spec: CheckedSpec,
  files: File[],
  signal: AbortSignal,
): Promise<Judge> | Judge {
  const { checker } = spec;
  if (!checker) return createComparison(spec);
  const { run, compile } = checker;
  // The checker runs for the organisation of the execution, with its deadline and quota.
  const { organizationId, expireTime, tenancy } = spec.sandbox;
  const sandbox = { ...checker.sandbox!, organizationId, expireTime, tenancy };
  return openChecker(
    workspaceFor(dependencies, { sandbox, run: run!, compile }, spec),
    checker,
    files,
    spec.cases.length,
    signal,
  );
}

type Trial = {
  spec: CheckedSpec;
  program: Program;
  judge: Judge;
  blobs: Blobs;
  streamOutput: boolean;
  signal: AbortSignal;
};

async function* tryCase(
  { spec, program, judge, blobs, streamOutput, signal }: Trial,
  caseSpec: CaseSpec,
): AsyncGenerator<RunExecutionResponse, Tried & { ended: StepEnd }> {
  await using given = await openCase(blobs, spec.sandbox.organizationId, caseSpec, signal);
  const command = given.command.length > 0 ? given.command : spec.run.command;
  const step = { ...spec.run, command, limits: given.limits };
  const ended = yield* program.run(step, { stdin: given.input, streamOutput, signal });
  const failure = failureOf(step, ended);
  const judgement: Judgement = failure
    ? { verdict: failure, message: '' }
    : await judge.judge(given, ended.stdout, signal);
  return { ...toTried(given, ended, judgement, shownBytes(spec.cases.length)), ended };
}

/** Whether a program may have a syntax error: the first case that it failed is this one, and it never did what it should. */
function mayBeBroken(last: Tried, earlier: Tried[]): boolean {
  return hasFailed(last.result) && !earlier.some(({ result }) => hasFailed(result) || result.verdict === 'ACCEPTED');
}

/** Whether a program ended itself with an exit code that may come from a syntax error. */
function hasFailed({ verdict, exitCode = 0 }: CaseResult): boolean {
  return verdict === 'RUNTIME_ERROR' && exitCode !== 0;
}

function notCompiled({ reportsCases, cases }: ExecutionSpec, compiler: StepEnd): Partial<Execution> {
  return {
    verdict: 'COMPILE_ERROR',
    compile: toCompileResult(compiler),
    cases: reportsCases ? cases.map(notTried) : [],
  };
}

function notTried({ name }: CaseSpec): CaseResult {
  return CaseResult.create({ name });
}
