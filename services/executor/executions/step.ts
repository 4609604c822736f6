import { setMaxListeners } from 'node:events';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import { type DrydockError, hasReason } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import { abortAfter } from '#libs/lifecycle.ts';
import { Exited, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { endsSoon, hasCellEnded, noAnswer } from '../agent/errors.ts';
import { createOutput, wholeCharacters } from '../agent/output.ts';
import { signalNumber } from '../agent/signals.ts';
import type { Input } from './data.ts';
import type { StepEnd } from './verdict.ts';
import { PROGRAM_DIRECTORY, type StepEvent, type Workspace } from './workspaces/workspace.ts';

// The agent ends a step at its wall time; without an answer by this much later, the agent is taken as lost.
const MARGIN_MS = 10_000;

/** Exit code of a shell for a command that does not exist. */
export const NOT_FOUND_EXIT_CODE = 127;

const NOTHING = Buffer.alloc(0);

export type StepOptions = {
  stdin?: Input;
  /** Gets standard output as it comes, in order, instead of its being kept. */
  sink?: (data: Uint8Array) => void | Promise<void>;
  /** Yields output as it is written, besides the whole output at the end. */
  streamOutput?: boolean;
  signal: AbortSignal;
};

/**
 * Runs one command of an execution, alone and with its own limits. Throws if the command was not what ended the run: the caller
 * hung up, the sandbox was stopped, or the agent does not answer.
 */
export async function* runStep(
  workspace: Workspace,
  step: ExecutionStep,
  { stdin = NOTHING, sink, streamOutput = false, signal }: StepOptions,
): AsyncGenerator<RunExecutionResponse, StepEnd> {
  const limits = step.limits!;
  const kept = { stdout: keepUpTo(limits.outputBytes), stderr: keepUpTo(limits.outputBytes) };
  const pieces = { stdout: createOutput(), stderr: createOutput() };
  using limit = abortAfter(millisecondsOf(limits.wallTime!) + MARGIN_MS);
  const overdue = limit.signal;
  const endings = AbortSignal.any([signal, workspace.ended, overdue]);
  // One listener for each message in flight.
  setMaxListeners(0, endings);
  const found: Pick<StepEnd, 'exited' | 'lost' | 'peakMemoryBytes'> = {
    exited: undefined,
    lost: undefined,
    peakMemoryBytes: undefined,
  };
  try {
    const fits = await workspace.limit(limits);
    await using peak = fits ? await workspace.measurePeak() : undefined;
    if (!fits) found.lost = 'OUT_OF_MEMORY';
    for await (const event of fits ? workspace.start(toAgentStart(step, streamOutput), stdin, endings) : []) {
      if (event.$case === 'exited') found.exited = event.value;
      if (event.$case === 'refused') {
        found.exited = Exited.create({ exitCode: NOT_FOUND_EXIT_CODE });
        kept.stderr.push(Buffer.from(`${step.command[0]}: cannot be executed\n`));
      }
      if (!isOutput(event)) continue;
      if (sink && event.$case === 'stdout') {
        await sink(event.value.data);
        continue;
      }
      kept[event.$case].push(event.value.data);
      if (streamOutput) yield* pieces[event.$case].push(event.value.offset, event.value.data).map(wrap(event.$case));
    }
    found.peakMemoryBytes = await peak?.read();
    if (!found.exited && !found.lost) throw noAnswer(undefined);
  } catch (error) {
    if (signal.aborted) throw error;
    found.exited = undefined;
    found.lost = overdue.aborted ? 'OVERDUE' : await causeOf(workspace, error);
  }
  const isCut = { stdout: found.exited?.stdoutTruncated ?? false, stderr: found.exited?.stderrTruncated ?? false };
  if (streamOutput)
    for (const name of ['stdout', 'stderr'] as const) yield* pieces[name].end(isCut[name]).map(wrap(name));
  const outputOf = (name: 'stdout' | 'stderr') =>
    isCut[name] ? wholeCharacters(kept[name].bytes()) : kept[name].bytes();
  return { ...found, stdout: outputOf('stdout'), stderr: outputOf('stderr') };
}

function toAgentStart(step: ExecutionStep, streamOutput: boolean): StartRequest {
  const { command, environment, streamEnvironment, interruptSignal, limits } = step;
  const { wallTime, cpuTime, outputBytes, stackBytes, fileBytes, openFiles } = limits!;
  return StartRequest.create({
    processId: newId('prc'),
    command,
    environment: streamOutput ? { ...streamEnvironment, ...environment } : environment,
    interruptSignal: signalNumber(interruptSignal) ?? 0,
    workingDirectory: PROGRAM_DIRECTORY,
    wallNanoseconds: Math.round(millisecondsOf(wallTime!) * 1e6),
    cpuNanoseconds: Math.round(millisecondsOf(cpuTime!) * 1e6),
    outputBytes,
    stackBytes,
    fileBytes,
    openFiles,
  });
}

const FIRST_BYTES = 4 * 1024;

/**
 * The first bytes of a stream, in memory that grows with them: a program may write them one by one. The agent applies the limit
 * as well, but it may be hostile.
 */
export function keepUpTo(limit: number) {
  let kept = NOTHING;
  let length = 0;
  return {
    push(data: Uint8Array) {
      const piece = data.subarray(0, limit - length);
      const needed = length + piece.length;
      if (needed > kept.length) {
        const larger = Buffer.alloc(Math.min(limit, Math.max(needed, 2 * kept.length, FIRST_BYTES)));
        kept.copy(larger, 0, 0, length);
        kept = larger;
      }
      kept.set(piece, length);
      length = needed;
    },
    bytes: () => kept.subarray(0, length),
  };
}

function isOutput(event: StepEvent): event is Extract<StepEvent, { $case: 'stdout' | 'stderr' }> {
  return event.$case === 'stdout' || event.$case === 'stderr';
}

function wrap(name: 'stdout' | 'stderr') {
  return (value: Output): RunExecutionResponse => ({ event: { $case: name, value } });
}

/** Why the sandbox ended under a step: if by itself, the program caused it. Throws if it was stopped, or still runs. */
async function causeOf({ ended }: Workspace, error: unknown): Promise<StepEnd['lost']> {
  // A cell reports at the start of a step that its files did not fit, or that the previous step ended it.
  if (hasReason(error, 'DISK_FULL', 'NOT_IMPLEMENTED') || hasCellEnded(error)) throw error;
  if (!(await endsSoon(ended))) throw noAnswer(error);
  const { stopReason } = (ended.reason as DrydockError).details.metadata ?? {};
  if (stopReason === 'OUT_OF_MEMORY' || stopReason === 'EXITED') return stopReason;
  throw ended.reason;
}

/** Runs a step and discards its events. */
export async function endOf(step: AsyncGenerator<unknown, StepEnd>): Promise<StepEnd> {
  let next = await step.next();
  while (!next.done) next = await step.next();
  return next.value;
}
