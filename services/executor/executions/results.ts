import { isUtf8 } from 'node:buffer';
import { durationOf, millisecondsOf } from '#libs/catalog/limits.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { CaseSpec } from '#proto/drydock/internal/v1/spec.ts';
import { CaseResult, CompileResult, Execution } from '#proto/drydock/v1/execution.ts';
import type { ResourceUsage } from '#proto/drydock/v1/resources.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { firstOf } from '../agent/output.ts';
import { signalName } from '../agent/signals.ts';
import { toUsage } from '../agent/usage.ts';
import type { Judgement } from './judge.ts';
import type { StepEnd } from './verdict.ts';

/** Maximum bytes of each output in a case's result, and of those of all cases together. */
const SHOWN_BYTES = 16 * 1024;
const SHOWN_IN_ALL_BYTES = 4 * 1024 * 1024;
const NOTHING = Buffer.alloc(0);

/** The result of one case. */
export type Tried = { result: CaseResult; stdoutInvalidUtf8: boolean; stderrInvalidUtf8: boolean };

/** The fields that results of compilers and of programs share. */
function toOutcome({ exited, peakMemoryBytes }: StepEnd) {
  return {
    ...(exited && exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
    signal: signalName(exited?.signal ?? 0),
    stdoutTruncated: exited?.stdoutTruncated ?? false,
    stderrTruncated: exited?.stderrTruncated ?? false,
    usage: exited && { ...toUsage(exited), ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }) },
  };
}

export function toCompileResult(ended: StepEnd & { cached?: boolean }): CompileResult {
  return CompileResult.create({
    ...toOutcome(ended),
    cached: ended.cached ?? false,
    stdout: ended.stdout.toString(),
    stderr: ended.stderr.toString(),
  });
}

/** Bytes that are shown of each output of a case. */
export function shownBytes(cases: number): number {
  return Math.min(SHOWN_BYTES, Math.floor(SHOWN_IN_ALL_BYTES / (2 * cases)));
}

export function toTried({ name }: Pick<CaseSpec, 'name'>, ended: StepEnd, judgement: Judgement, shown: number): Tried {
  const outcome = toOutcome(ended);
  const [stdout, stderr] = [firstOf(ended.stdout, shown), firstOf(ended.stderr, shown)];
  const result = CaseResult.create({
    ...outcome,
    ...judgement,
    name,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
    stdoutTruncated: outcome.stdoutTruncated || stdout.length < ended.stdout.length,
    stderrTruncated: outcome.stderrTruncated || stderr.length < ended.stderr.length,
  });
  return { result, stdoutInvalidUtf8: !isUtf8(ended.stdout), stderrInvalidUtf8: !isUtf8(ended.stderr) };
}

/** The execution of several cases: the end of the first case that was not accepted, and the usage of all. */
export function summarize(tried: Tried[]): Partial<Execution> {
  const decisive = tried.find(({ result }) => result.verdict !== 'ACCEPTED') ?? tried.at(-1)!;
  const { verdict, exitCode, signal, stdoutTruncated, stderrTruncated, message } = decisive.result;
  const usages = tried.flatMap(({ result }) => result.usage ?? []);
  return {
    verdict,
    ...(exitCode === undefined ? {} : { exitCode }),
    signal,
    stdoutTruncated,
    stderrTruncated,
    stdoutInvalidUtf8: decisive.stdoutInvalidUtf8,
    stderrInvalidUtf8: decisive.stderrInvalidUtf8,
    message: verdict === 'INTERNAL_ERROR' ? message : '',
    ...(usages.length > 0 ? { usage: usages.reduce(together) } : {}),
  };
}

function together(a: ResourceUsage, b: ResourceUsage): ResourceUsage {
  return {
    cpuTime: sum(a.cpuTime, b.cpuTime),
    wallTime: sum(a.wallTime, b.wallTime),
    peakMemoryBytes: Math.max(a.peakMemoryBytes, b.peakMemoryBytes),
    oomKills: a.oomKills + b.oomKills,
  };
}

function sum(a: Duration | undefined, b: Duration | undefined): Duration {
  const [first, second] = [a, b].map((time) => (time ? millisecondsOf(time) : 0));
  return durationOf(first! + second!);
}

/** An execution without test cases: its only run is the result, with all of its output. */
export function wholeOf({ result, ...flags }: Tried, ended: StepEnd): Partial<Execution> {
  const { verdict, message } = result;
  return { ...toOutcome(ended), ...flags, verdict, message };
}

/** The last event. It carries each output once, as bytes; session decodes the text. */
export function toResultEvent(
  execution: Partial<Execution>,
  { stdout, stderr }: Pick<StepEnd, 'stdout' | 'stderr'> = { stdout: NOTHING, stderr: NOTHING },
  transcript: Buffer = NOTHING,
): RunExecutionResponse {
  const complete = Execution.create({
    ...(execution as Execution),
    state: 'FINISHED',
    finishTime: new Date(),
  });
  return {
    event: { $case: 'result', value: ExecutionResult.create({ execution: complete, stdout, stderr, transcript }) },
  };
}
