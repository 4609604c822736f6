import { isUtf8 } from 'node:buffer';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type { WriteRequest } from '#proto/drydock/agent/v1/agent.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionSpec } from '#proto/drydock/internal/v1/spec.ts';
import { CompileResult, Execution, type SourceFile } from '#proto/drydock/v1/execution.ts';
import { FILE_REASONS, fromAgent } from './agent-errors.ts';
import type { Backend } from './backend.ts';
import { toUsage } from './processes.ts';
import type { Sandbox, Sandboxes } from './sandboxes.ts';
import { signalName } from './signals.ts';
import { PIECE_BYTES, PROGRAM_DIRECTORY, runStep } from './step.ts';
import { type Ended, verdictOf } from './verdict.ts';

const WRITES_AT_ONCE = 4;
const AGENT_DEADLINE_MS = 10_000;
const NOTHING = Buffer.alloc(0);

const finished = counter('executor_executions_total', 'Executions that came to a verdict.', ['verdict']);

export type Dependencies = { sandboxes: Sandboxes; backend: Backend; log: Logger };

/** Runs a program in a sandbox of its own, which is destroyed whatever happens; the last event is the result. */
export async function* runExecution(
  { sandboxes, backend, log }: Dependencies,
  spec: ExecutionSpec,
  streamOutput: boolean,
  signal: AbortSignal,
): AsyncIterable<RunExecutionResponse> {
  const { sandbox: wanted, compile, run } = spec;
  if (!wanted || !run?.limits || (compile && !compile.limits))
    throw new DrydockError('INTERNAL', 'an execution spec came incomplete');
  const sandbox = await sandboxes.claim(wanted, signal);
  try {
    // Known to nobody but this call, so there is nothing to wait for.
    sandbox.confirmed = true;
    await writeFiles(sandbox, spec.files, signal);
    const result: Partial<Execution> = { state: 'FINISHED', isolation: 'SANDBOX', startTime: new Date() };
    if (compile) {
      yield { event: { $case: 'compileStarted', value: {} } };
      const compiled = yield* runStep(sandbox, compile, { stdin: NOTHING, streamOutput: false, signal });
      result.compile = toCompileResult(compiled);
      if (!succeeded(compiled)) return yield resultOf({ ...result, verdict: 'COMPILE_ERROR' });
      // What a compiler left running would run on the program's time.
      await sandbox.instance.link.control.killAll({}, { signal, deadlineMs: AGENT_DEADLINE_MS });
    }
    yield { event: { $case: 'runStarted', value: {} } };
    await using peak = await backend.measurePeak(sandbox.instance.id);
    const ended = yield* runStep(sandbox, run, { stdin: Buffer.from(spec.stdin), streamOutput, signal });
    const peakMemoryBytes = await peak?.read();
    yield resultOf({ ...result, ...toOutcome(ended, peakMemoryBytes), verdict: verdictOf(spec, ended) }, ended);
  } finally {
    sandboxes.destroy(sandbox.sandboxId).catch((error) => {
      log.warn({ err: error, sandboxId: sandbox.sandboxId }, 'sandbox of an execution not destroyed yet');
    });
  }
}

function succeeded({ exited }: Ended): boolean {
  return exited?.exitCode === 0 && exited.limit === 'LIMIT_KIND_UNSPECIFIED';
}

async function writeFiles(sandbox: Sandbox, files: SourceFile[], signal: AbortSignal): Promise<void> {
  const { instance, ended } = sandbox;
  const options = { signal: AbortSignal.any([signal, ended.signal]) };
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) await instance.link.files.write(toMessages(file), options);
  };
  try {
    if (files.length === 0) await instance.link.files.makeDirectory({ path: PROGRAM_DIRECTORY }, options);
    await Promise.all(Array.from({ length: Math.min(WRITES_AT_ONCE, files.length) }, worker));
  } catch (error) {
    const known = await fromAgent(error, FILE_REASONS, ended.signal);
    // No program has run yet, so another sandbox may fare better.
    if (!hasReason(known, 'SANDBOX_STOPPED', 'SERVICE_UNAVAILABLE')) throw known;
    throw new DrydockError('SANDBOX_START_FAILED', 'the sandbox ended before the program began', { cause: known });
  }
}

async function* toMessages({ name, content }: SourceFile): AsyncIterable<WriteRequest> {
  const data = Buffer.from(content?.value ?? '');
  const piece = (at: number) => ({
    data: data.subarray(at, at + PIECE_BYTES),
    complete: at + PIECE_BYTES >= data.length,
  });
  yield { path: `${PROGRAM_DIRECTORY}/${name}`, mode: 0o644, ...piece(0) };
  for (let at = PIECE_BYTES; at < data.length; at += PIECE_BYTES) yield { path: '', mode: 0, ...piece(at) };
}

/** What the compiler and the program are told of alike. */
function toOutcome({ exited }: Ended, peakMemoryBytes?: number) {
  return {
    ...(exited && exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
    signal: signalName(exited?.signal ?? 0),
    stdoutTruncated: exited?.stdoutTruncated ?? false,
    stderrTruncated: exited?.stderrTruncated ?? false,
    usage: exited && { ...toUsage(exited), ...(peakMemoryBytes === undefined ? {} : { peakMemoryBytes }) },
  };
}

function toCompileResult(ended: Ended): CompileResult {
  return CompileResult.create({
    ...toOutcome(ended),
    stdout: ended.stdout.toString(),
    stderr: ended.stderr.toString(),
  });
}

function resultOf(execution: Partial<Execution>, output?: Pick<Ended, 'stdout' | 'stderr'>): RunExecutionResponse {
  const { stdout = NOTHING, stderr = NOTHING } = output ?? {};
  finished.inc({ verdict: execution.verdict ?? '' });
  const complete = {
    ...execution,
    stdout: stdout.toString(),
    stderr: stderr.toString(),
    stdoutInvalidUtf8: !isUtf8(stdout),
    stderrInvalidUtf8: !isUtf8(stderr),
    finishTime: new Date(),
  };
  const value = ExecutionResult.create({ execution: Execution.create(complete as Execution), stdout, stderr });
  return { event: { $case: 'result', value } };
}
