import { isUtf8 } from 'node:buffer';
import { setTimeout as pause } from 'node:timers/promises';
import { Status } from 'nice-grpc-common';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { Exited, StartRequest, type WriteRequest } from '#proto/drydock/agent/v1/agent.ts';
import { ExecutionResult, type RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionSpec, ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import { CompileResult, Execution, type SourceFile, type Verdict } from '#proto/drydock/v1/execution.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { newId } from '#libs/ids.ts';
import { fromAgent, START_REASONS } from './agent-errors.ts';
import type { Backend } from './backend.ts';
import { matches } from './comparison.ts';
import { createOutput } from './output.ts';
import { signalName, toUsage } from './processes.ts';
import type { Sandbox, Sandboxes } from './sandboxes.ts';

const PROGRAM_DIRECTORY = '/home/user/program';
const PIECE_BYTES = 256 * 1024;
const WRITES_AT_ONCE = 4;
// How long the engine's word on why a sandbox ended is waited for.
const ENDED_WAIT_MS = 2_000;
// What a step may take beyond its own wall time until it is given up: the agent ends it at the limit.
const STEP_MARGIN_MS = 10_000;

export type Dependencies = { sandboxes: Sandboxes; backend: Backend; log: Logger };

/** How one step ended: by itself or a limit, or with its whole sandbox. */
type Ended = { exited?: Exited; outOfMemory: boolean; stdout: Buffer; stderr: Buffer };

/** Runs a program in a sandbox of its own, which is destroyed whatever happens; the last event is the result. */
export async function* runExecution(
  { sandboxes, backend, log }: Dependencies,
  spec: ExecutionSpec,
  streamOutput: boolean,
  signal: AbortSignal,
): AsyncIterable<RunExecutionResponse> {
  const { sandbox } = await sandboxes.claim(spec.sandbox!, signal);
  try {
    // Known to nobody but this call, so there is nothing to wait for.
    sandbox.confirmed = true;
    await writeFiles(sandbox, spec.files, signal);
    const startTime = new Date();
    const result: Partial<Execution> = { state: 'FINISHED', startTime };
    if (spec.compile) {
      yield { event: { $case: 'compileStarted', value: {} } };
      const compiled = yield* runStep(sandbox, spec.compile, Buffer.alloc(0), false, signal);
      result.compile = toCompileResult(compiled);
      if (compiled.exited?.exitCode !== 0 || compiled.outOfMemory) {
        yield resultOf({ ...result, verdict: 'COMPILE_ERROR' }, Buffer.alloc(0), Buffer.alloc(0));
        return;
      }
      await backend.resetPeakMemory(sandbox.instance.id);
    }
    yield { event: { $case: 'runStarted', value: {} } };
    const ended = yield* runStep(sandbox, spec.run!, Buffer.from(spec.stdin), streamOutput, signal);
    const { exited, stdout, stderr } = ended;
    yield resultOf(
      {
        ...result,
        verdict: verdictOf(spec, ended),
        ...(exited && exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
        signal: signalName(exited?.signal ?? 0),
        stdoutTruncated: exited?.stdoutTruncated ?? false,
        stderrTruncated: exited?.stderrTruncated ?? false,
        usage: exited && toUsage(exited),
      },
      stdout,
      stderr,
    );
  } finally {
    sandboxes.destroy(sandbox.sandboxId).catch((error) => {
      log.warn({ err: error, sandboxId: sandbox.sandboxId }, 'sandbox of an execution not destroyed yet');
    });
  }
}

/** Limits come first, since they are why the rest happened; then signal, exit code and output. */
export function verdictOf(spec: Pick<ExecutionSpec, 'expectedOutput' | 'comparison' | 'floatTolerance'>, ended: Ended): Verdict {
  const { exited, outOfMemory, stdout } = ended;
  if (exited?.limit === 'LIMIT_KIND_WALL_TIME') return 'WALL_TIME_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_CPU_TIME') return 'CPU_TIME_EXCEEDED';
  if (outOfMemory || (exited && exited.oomKills > 0)) return 'MEMORY_EXCEEDED';
  if (exited?.limit === 'LIMIT_KIND_OUTPUT') return 'OUTPUT_EXCEEDED';
  if (!exited || exited.signal !== 0 || exited.exitCode !== 0) return 'RUNTIME_ERROR';
  if (spec.expectedOutput === undefined) return 'ACCEPTED';
  const matched = matches(stdout.toString(), spec.expectedOutput, spec.comparison, spec.floatTolerance);
  return matched ? 'ACCEPTED' : 'WRONG_ANSWER';
}

async function* runStep(
  sandbox: Sandbox,
  step: ExecutionStep,
  stdin: Buffer,
  streamOutput: boolean,
  signal: AbortSignal,
): AsyncGenerator<RunExecutionResponse, Ended> {
  const limits = step.limits!;
  const processId = newId('prc');
  const inline = stdin.length <= PIECE_BYTES;
  const request = StartRequest.create({
    processId,
    command: step.command,
    environment: step.environment,
    workingDirectory: PROGRAM_DIRECTORY,
    stdin: inline ? stdin : Buffer.alloc(0),
    openStdin: !inline,
    wallNanoseconds: millisecondsOf(limits.wallTime!) * 1e6,
    cpuNanoseconds: millisecondsOf(limits.cpuTime!) * 1e6,
    outputBytes: limits.outputBytes,
  });
  const kept = { stdout: [] as Uint8Array[], stderr: [] as Uint8Array[] };
  const pieces = { stdout: createOutput(), stderr: createOutput() };
  const { signal: gone } = sandbox.ended;
  const overdue = AbortSignal.timeout(millisecondsOf(limits.wallTime!) + STEP_MARGIN_MS);
  let exited: Exited | undefined;
  let outOfMemory = false;
  try {
    const events = sandbox.instance.link.processes.start(request, { signal: AbortSignal.any([signal, gone, overdue]) });
    for await (const { event } of events) {
      if (event?.$case === 'started' && !inline) void feed(sandbox, processId, stdin);
      if (event?.$case === 'exited') exited = event.value;
      if (event?.$case !== 'stdout' && event?.$case !== 'stderr') continue;
      const { offset, data } = event.value;
      kept[event.$case].push(Buffer.from(data));
      if (streamOutput) yield* pieces[event.$case].push(offset, data).map(wrap(event.$case));
    }
  } catch (error) {
    if (signal.aborted) throw error;
    if (isMissingProgram(error)) {
      exited = MISSING_PROGRAM;
      kept.stderr.push(Buffer.from(`${(fromAgent(error, START_REASONS, gone) as Error).message}\n`));
    } else outOfMemory = await endedOutOfMemory(sandbox, error);
  }
  if (streamOutput) for (const name of ['stdout', 'stderr'] as const) yield* pieces[name].end().map(wrap(name));
  return { ...(exited ? { exited } : {}), outOfMemory, stdout: Buffer.concat(kept.stdout), stderr: Buffer.concat(kept.stderr) };
}

function wrap(name: 'stdout' | 'stderr') {
  return (value: Output): RunExecutionResponse => ({ event: { $case: name, value } });
}

/** A sandbox that is gone was ended by its program: out of memory is one way, signalling what it should not is none. */
async function endedOutOfMemory(sandbox: Sandbox, error: unknown): Promise<boolean> {
  const { signal: gone } = sandbox.ended;
  if (!gone.aborted) {
    const heard = new Promise((resolve) => gone.addEventListener('abort', resolve, { once: true }));
    await Promise.race([heard, pause(ENDED_WAIT_MS, undefined, { ref: false })]);
  }
  if (!gone.aborted) throw error;
  return (gone.reason as DrydockError).details?.metadata?.stopReason === 'OUT_OF_MEMORY';
}

function isMissingProgram(error: unknown): error is DrydockError {
  return error instanceof DrydockError && (error.cause as { code?: Status } | undefined)?.code === Status.INVALID_ARGUMENT;
}

/** A command that does not exist is the program's failure, told as a shell would. */
const MISSING_PROGRAM = Exited.create({ exitCode: 127 });

/** Gives a long input piece by piece. A program that ends before it has read all of it is its own affair. */
async function feed(sandbox: Sandbox, processId: string, stdin: Buffer): Promise<void> {
  try {
    for (let at = 0; at < stdin.length; at += PIECE_BYTES) {
      const data = stdin.subarray(at, at + PIECE_BYTES);
      const close = at + PIECE_BYTES >= stdin.length;
      await sandbox.instance.link.processes.writeInput({ processId, data, close }, { signal: sandbox.ended.signal });
    }
  } catch (error) {
    if (!(error instanceof DrydockError)) throw error;
  }
}

async function writeFiles(sandbox: Sandbox, files: SourceFile[], signal: AbortSignal): Promise<void> {
  const { files: agent } = sandbox.instance.link;
  if (files.length === 0) await agent.makeDirectory({ path: PROGRAM_DIRECTORY }, { signal });
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) await agent.write(toMessages(file), { signal });
  };
  await Promise.all(Array.from({ length: Math.min(WRITES_AT_ONCE, files.length) }, worker));
}

async function* toMessages({ name, content }: SourceFile): AsyncIterable<WriteRequest> {
  const data = Buffer.from(content?.value ?? '');
  yield { path: `${PROGRAM_DIRECTORY}/${name}`, mode: 0o644, data: data.subarray(0, PIECE_BYTES) };
  for (let at = PIECE_BYTES; at < data.length; at += PIECE_BYTES)
    yield { path: '', mode: 0, data: data.subarray(at, at + PIECE_BYTES) };
}

function toCompileResult({ exited, stdout, stderr }: Ended): CompileResult {
  return CompileResult.create({
    ...(exited && exited.signal === 0 ? { exitCode: exited.exitCode } : {}),
    signal: signalName(exited?.signal ?? 0),
    stdout: stdout.toString(),
    stderr: stderr.toString(),
    stdoutTruncated: exited?.stdoutTruncated ?? false,
    stderrTruncated: exited?.stderrTruncated ?? false,
    usage: exited && toUsage(exited),
  });
}

function resultOf(execution: Partial<Execution>, stdout: Buffer, stderr: Buffer): RunExecutionResponse {
  const result = ExecutionResult.create({
    execution: Execution.create({
      ...execution,
      stdout: stdout.toString(),
      stderr: stderr.toString(),
      stdoutInvalidUtf8: !isUtf8(stdout),
      stderrInvalidUtf8: !isUtf8(stderr),
      finishTime: new Date(),
    } as Execution),
    stdout,
    stderr,
  });
  return { event: { $case: 'result', value: result } };
}
