import { isUtf8 } from 'node:buffer';
import { durationOf, millisecondsOf } from '#libs/catalog/limits.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { CaseSpec } from '#proto/drydock/internal/v1/spec.ts';
import { CaseResult, CompileResult, Execution } from '#proto/drydock/v1/execution.ts';
import type { ResourceUsage } from '#proto/drydock/v1/resources.ts';
import type { Duration } from '#proto/google/protobuf/duration.ts';
import { unfinished } from '../agent/output.ts';
import { signalName } from '../agent/signals.ts';
import { toUsage } from '../agent/usage.ts';
import type { Judgement } from './judge.ts';
import type { Ended } from './verdict.ts';

/** Bytes of each output that a case's result shows. */
const SHOWN_BYTES = 16 * 1024;
const NOTHING = Buffer.alloc(0);

/** How one case went. */
export type Tried = { result: CaseResult; stdoutInvalidUtf8: boolean; stderrInvalidUtf8: boolean };

/** What the compiler and the program are told of alike. */
function toOutcome({ exited, peakMemoryBytes }: Ended) {
  return {
    ...(exited && exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
    signal: signalName(exited?.signal ?? 0),
    stdoutTruncated: exited?.stdoutTruncated ?? false,
    stderrTruncated: exited?.stderrTruncated ?? false,
    usage: exited && { ...toUsage(exited), ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }) },
  };
}

export function toCompileResult(ended: Ended): CompileResult {
  return CompileResult.create({
    ...toOutcome(ended),
    stdout: ended.stdout.toString(),
    stderr: ended.stderr.toString(),
  });
}

export function toTried({ name }: CaseSpec, ended: Ended, judgement: Judgement): Tried {
  const outcome = toOutcome(ended);
  const [stdout, stderr] = [shownOf(ended.stdout), shownOf(ended.stderr)];
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

/** The first of an output, up to the end of a character. */
function shownOf(output: Buffer): Buffer {
  if (output.length <= SHOWN_BYTES) return output;
  const shown = output.subarray(0, SHOWN_BYTES);
  return shown.subarray(0, SHOWN_BYTES - unfinished(shown));
}

/** The whole of a run with cases: how the first one ended that was not accepted, and what all of them used. */
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

/** A run without cases: its one case is the whole, with all of its output. */
export function wholeOf({ result, ...flags }: Tried, ended: Ended): Partial<Execution> {
  const { verdict, message } = result;
  return { ...toOutcome(ended), ...flags, verdict, message };
}

/** The last event. Session makes the texts of the outputs, so that these cross each hop once. */
export function toResultEvent(
  execution: Partial<Execution>,
  { stdout, stderr }: Pick<Ended, 'stdout' | 'stderr'> = { stdout: NOTHING, stderr: NOTHING },
): RunExecutionResponse {
  const complete = Execution.create({
    ...(execution as Execution),
    state: 'FINISHED',
    finishTime: new Date(),
  });
  return { event: { $case: 'result', value: ExecutionResult.create({ execution: complete, stdout, stderr }) } };
}
