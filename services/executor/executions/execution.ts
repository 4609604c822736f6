import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type {
  AppliedLimits,
  CheckerSpec,
  ExecutionSpec,
  ExecutionStep,
  SandboxSpec,
} from '#proto/drydock/internal/v1/spec.ts';
import type { CaseResult, Execution, SourceFile } from '#proto/drydock/v1/execution.ts';
import { largestOf } from '../instances/capacity.ts';
import type { Artifacts } from './artifacts.ts';
import { type Blobs, openFiles } from './blobs/blobs.ts';
import { openChecker } from './checker.ts';
import { createCourse, scoreAll, scoreOf } from './course.ts';
import type { File } from './data.ts';
import { type GivenCase, openCase } from './given-case.ts';
import { openInteractor, type Talk, talk } from './interaction.ts';
import { createComparison, type Judge } from './judge.ts';
import { type Lane, runCases } from './lanes.ts';
import { type Cache, findErrors, openProgram, succeeded } from './program.ts';
import { shownBytes, summarize, type Tried, toCompileResult, toResultEvent, toTried, wholeOf } from './results.ts';
import type { Share, Shares } from './shares.ts';
import type { Slots } from './slots.ts';
import { failureOf, type StepEnd } from './verdict.ts';
import { openWorkspace, type Workspaces } from './workspaces/open.ts';

const finished = counter('executor_executions_total', 'Executions that came to a verdict.', ['verdict', 'isolation']);

export type Dependencies = Workspaces & {
  slots: Slots;
  shares: Shares;
  blobs: Blobs;
  /** Undefined if results of compile steps are not kept. */
  artifacts?: Artifacts | undefined;
};

/** Runs a program case by case and judges it; the last event is the result. */
export async function* runExecution(
  dependencies: Dependencies,
  unchecked: ExecutionSpec,
  streamOutput: boolean,
  signal: AbortSignal,
): AsyncIterable<RunExecutionResponse> {
  const spec = checkSpec(unchecked);
  using _slot = await dependencies.slots.take(signal);
  using share = dependencies.shares.enter(spec.sandbox);
  // All are opened before the first event: until then the scheduler may try another executor.
  await using sources = await openSources(dependencies.blobs, spec, signal);
  await using first = await openLane(dependencies, spec, sources, signal);
  const { program } = first;

  let transcript: Buffer | undefined;
  const result: Partial<Execution> = { isolation: program.isolation, startTime: new Date() };
  const done = (execution: Partial<Execution>, output?: StepEnd): RunExecutionResponse => {
    finished.inc({ verdict: execution.verdict ?? '', isolation: program.isolation });
    return toResultEvent({ ...result, ...execution }, output, transcript);
  };
  if (spec.compile) {
    yield { event: { $case: 'compileStarted', value: {} } };
    const compiled = await program.compile(signal);
    if (compiled) result.compile = toCompileResult(compiled);
    if (compiled && !succeeded(compiled)) {
      return yield done(notCompiled(spec, compiled));
    }
  }
  const course = createCourse(spec);
  const tried: Tried[] = [];
  const trial: Trial = {
    spec,
    tried,
    blobs: dependencies.blobs,
    streamOutput,
    log: dependencies.log,
    check: undefined,
  };
  const steps = runCases({
    course,
    first,
    count: streamOutput ? 1 : spec.parallelism,
    open: (signal) => openAnother(dependencies, spec, sources, share, signal),
    run: (lane, index, signal) => tryCase(trial, lane, index, signal),
    signal,
    log: dependencies.log,
  });
  for await (const step of steps) {
    if ('event' in step) {
      yield step.event;
      continue;
    }
    const { each, ended, broken } = step.outcome;
    // Of the case that decides: the first that was not accepted, else the last.
    if (tried.every(({ result: { verdict } }) => verdict === 'ACCEPTED')) transcript = step.outcome.transcript;
    if (broken && mayBeBroken(each, tried)) return yield done(notCompiled(spec, broken));
    if (ended) return yield done(wholeOf(each, ended), ended);
    tried[step.index] = each;
    course.add(step.index, each.result);
  }
  const cases = course.results();
  yield done({ ...summarize(tried.filter((each) => each)), ...scoreAll(spec, cases), cases });
}

type CheckedSpec = ExecutionSpec & { sandbox: SandboxSpec; run: ExecutionStep };

/** Session completes every spec; an incomplete one is a defect and never means "unlimited". */
function checkSpec(spec: ExecutionSpec): CheckedSpec {
  const { sandbox, compile, run, check, cases, checker, interactor } = spec;
  const judges = [checker, interactor].filter((judge) => judge !== undefined);
  const required = [sandbox, run, ...cases, ...judges.flatMap((judge) => [judge.sandbox, judge.run])];
  const optional = [compile, check, ...judges.map((judge) => judge.compile)].filter((step) => step !== undefined);
  const limited = [...required, ...optional].every((each) => each?.limits);
  if (!sandbox?.organizationId || !run || cases.length === 0 || !limited)
    throw new DrydockError('INTERNAL', 'an execution spec came incomplete');
  return { ...spec, sandbox, run };
}

/** Opens workspaces with what the step that needs most needs of each: capacity is reserved once, for all steps. */
function workspaceFor(
  dependencies: Dependencies,
  { sandbox, compile, run, check, cases = [] }: Pick<CheckedSpec, 'sandbox' | 'run'> & Partial<ExecutionSpec>,
  { isolation }: ExecutionSpec,
) {
  const steps = [compile, run, check, ...cases].flatMap((step) => step?.limits ?? []);
  const limits: AppliedLimits = { ...sandbox.limits!, ...largestOf([sandbox.limits!, ...steps]) };
  return (signal: AbortSignal) => openWorkspace(dependencies, { ...sandbox, limits }, isolation, signal);
}

/** Files of the program, and of what judges it; they hold until it is disposed. */
type OpenSources = { program: File[]; checker: File[]; interactor: File[] };

async function openSources(
  blobs: Blobs,
  { sandbox: { organizationId }, files, checker, interactor }: CheckedSpec,
  signal: AbortSignal,
): Promise<OpenSources & AsyncDisposable> {
  await using opened = new AsyncDisposableStack();
  const open = async (files: SourceFile[] = []) =>
    opened.use(await openFiles(blobs, organizationId, files, signal)).files;
  const sources = {
    program: await open(files),
    checker: await open(checker?.files),
    interactor: await open(interactor?.files),
  };
  const held = opened.move();
  return { ...sources, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

function openJudge(
  dependencies: Dependencies,
  spec: CheckedSpec,
  { checker: files }: OpenSources,
  signal: AbortSignal,
): Promise<Judge> | Judge {
  const { checker, cases } = spec;
  if (!checker) return createComparison(spec);
  const sources = { files, runs: cases.length, cache: cacheFor(dependencies, spec) };
  return openChecker(judgeWorkspaceFor(dependencies, spec, checker), checker, sources, signal);
}

async function openTalker(
  dependencies: Dependencies,
  spec: CheckedSpec,
  { interactor: files }: OpenSources,
  signal: AbortSignal,
) {
  const { interactor, cases } = spec;
  if (!interactor) return undefined;
  const sources = { files, runs: cases.length, cache: cacheFor(dependencies, spec) };
  return await openInteractor(judgeWorkspaceFor(dependencies, spec, interactor), interactor, sources, signal);
}

/** A judging program runs for the organisation of the execution, with its deadline and quota. */
function judgeWorkspaceFor(dependencies: Dependencies, spec: CheckedSpec, { sandbox, run, compile }: CheckerSpec) {
  const { organizationId, expireTime, tenancy } = spec.sandbox;
  const own = { ...sandbox!, organizationId, expireTime, tenancy };
  return workspaceFor(dependencies, { sandbox: own, run: run!, compile }, spec);
}

function cacheFor({ artifacts, log }: Dependencies, { sandbox }: CheckedSpec): Cache {
  return { artifacts, organizationId: sandbox.organizationId, log };
}

async function openLane(
  dependencies: Dependencies,
  spec: CheckedSpec,
  sources: OpenSources,
  signal: AbortSignal,
): Promise<Lane> {
  await using opened = new AsyncDisposableStack();
  const open = workspaceFor(dependencies, spec, spec);
  const own = { files: sources.program, compile: spec.compile, runs: spec.cases.length };
  const program = opened.use(await openProgram(open, own, cacheFor(dependencies, spec), signal));
  // Of two workspaces an execution has both or none.
  const judge = opened.use(await openJudge(dependencies, spec, sources, signal));
  const interactor = await openTalker(dependencies, spec, sources, signal);
  if (interactor) opened.use(interactor);
  const held = opened.move();
  return { program, judge, interactor, [Symbol.asyncDispose]: () => held.disposeAsync() };
}

/** Another lane, if there is a slot for it and the organisation may have it; with the program compiled. */
async function openAnother(
  dependencies: Dependencies,
  spec: CheckedSpec,
  sources: OpenSources,
  share: Share,
  signal: AbortSignal,
): Promise<Lane | undefined> {
  using held = new DisposableStack();
  const slot = share.mayGrow() ? dependencies.slots.tryTake() : undefined;
  if (!slot) return undefined;
  held.use(slot);
  held.use(share.grow());
  const lane = await openLane(dependencies, spec, sources, signal);
  const releases = held.move();
  const close = async () => {
    releases.dispose();
    await lane[Symbol.asyncDispose]();
  };
  const compiled = await lane.program.compile(signal).catch(async (error) => {
    await close();
    throw error;
  });
  if (!compiled || succeeded(compiled)) return { ...lane, [Symbol.asyncDispose]: close };
  await close();
  return undefined;
}

type Trial = {
  spec: CheckedSpec;
  tried: readonly Tried[];
  blobs: Blobs;
  streamOutput: boolean;
  log: Logger;
  /** What looking for errors in the sources found, once for an execution. */
  check: Promise<StepEnd | undefined> | undefined;
};

type Outcome = {
  each: Tried;
  transcript: Buffer | undefined;
  /** Of an execution without test cases. */
  ended: StepEnd | undefined;
  /** The errors in the sources, if this case was the first to show that there may be some. */
  broken: StepEnd | undefined;
};

async function* tryCase(
  trial: Trial,
  lane: Lane,
  index: number,
  signal: AbortSignal,
): AsyncGenerator<RunExecutionResponse, Outcome> {
  const { spec, tried, blobs, log } = trial;
  yield { event: { $case: 'runStarted', value: { caseIndex: index } } };
  await using given = await openCase(blobs, spec.sandbox.organizationId, spec.cases[index]!, signal);
  const command = given.command.length > 0 ? given.command : spec.run.command;
  const step = { ...spec.run, command, limits: given.limits };
  const { ended, judgement, transcript } = lane.interactor
    ? await talk({ ...lane, interactor: lane.interactor, step, given, keepTranscript: spec.keepTranscript, signal })
    : yield* runAndJudge(trial, lane, step, given, signal);
  // Without points, a checker's score is shown as it is.
  const score = spec.isScored ? { score: scoreOf(given.points, judgement.verdict, judgement.score) } : {};
  const each = toTried(given, ended, { ...judgement, ...score }, shownBytes(spec.cases.length));
  if (spec.check && mayBeBroken(each, tried)) trial.check ??= findErrors(lane.program, spec.check, log, signal);
  return { each, transcript, ended: spec.reportsCases ? undefined : ended, broken: await trial.check };
}

async function* runAndJudge(
  { streamOutput }: Trial,
  { program, judge }: Lane,
  step: ExecutionStep,
  given: GivenCase,
  signal: AbortSignal,
): AsyncGenerator<RunExecutionResponse, Talk> {
  const ended = yield* program.run(step, { stdin: given.input, streamOutput, signal });
  const failure = failureOf(step, ended);
  const judgement = failure ? { verdict: failure, message: '' } : await judge.judge(given, ended.stdout, signal);
  return { ended, judgement };
}

/** Whether a program may have a syntax error: the first case that it failed is this one, and it never did what it should. */
function mayBeBroken(last: Tried, earlier: readonly Tried[]): boolean {
  return hasFailed(last.result) && !earlier.some(({ result }) => hasFailed(result) || result.verdict === 'ACCEPTED');
}

/** Whether a program ended itself with an exit code that may come from a syntax error. */
function hasFailed({ verdict, exitCode = 0 }: CaseResult): boolean {
  return verdict === 'RUNTIME_ERROR' && exitCode !== 0;
}

function notCompiled(spec: ExecutionSpec, compiler: StepEnd): Partial<Execution> {
  const results = createCourse(spec).results('the program does not compile');
  return {
    verdict: 'COMPILE_ERROR',
    compile: toCompileResult(compiler),
    ...scoreAll(spec, results),
    cases: spec.reportsCases ? results : [],
  };
}
