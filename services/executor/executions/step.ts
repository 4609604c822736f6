import { setMaxListeners } from 'node:events';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import { type DrydockError, hasReason } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import { Exited, StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { endsSoon, isCellGone, noAnswer } from '../agent/errors.ts';
import { createOutput } from '../agent/output.ts';
import type { Ended } from './verdict.ts';
import { PROGRAM_DIRECTORY, type StepEvent, type Workplace } from './workspaces/workspace.ts';

// What a step may take beyond its own wall time until it is given up: the agent ends it at the limit.
const MARGIN_MS = 10_000;

/** As a shell would say that there is no such command. */
const NOT_FOUND_EXIT_CODE = 127;

const NOTHING = Buffer.alloc(0);

export type StepOptions = {
  stdin?: Buffer;
  /** Its output comes as it is made, besides the whole of it at the end. */
  streamOutput?: boolean;
  signal: AbortSignal;
};

/**
 * Runs one command of an execution to its end, whichever that is, alone and with its own limits. Throws where the end is
 * nobody's doing but ours: the caller left, the sandbox was stopped, the agent does not answer.
 */
export async function* runStep(
  workplace: Workplace,
  step: ExecutionStep,
  { stdin = NOTHING, streamOutput = false, signal }: StepOptions,
): AsyncGenerator<RunExecutionResponse, Ended> {
  const limits = step.limits!;
  const kept = { stdout: keepUpTo(limits.outputBytes), stderr: keepUpTo(limits.outputBytes) };
  const pieces = { stdout: createOutput(), stderr: createOutput() };
  const overdue = AbortSignal.timeout(millisecondsOf(limits.wallTime!) + MARGIN_MS);
  const endings = AbortSignal.any([signal, workplace.ended, overdue]);
  // One for each message on its way.
  setMaxListeners(0, endings);
  const found: Pick<Ended, 'exited' | 'lost' | 'peakMemoryBytes'> = {
    exited: undefined,
    lost: undefined,
    peakMemoryBytes: undefined,
  };
  try {
    await workplace.clear(endings);
    const fits = await workplace.limit(limits);
    await using peak = fits ? await workplace.measurePeak() : undefined;
    if (!fits) found.lost = 'OUT_OF_MEMORY';
    for await (const event of fits ? workplace.start(toAgentStart(step), stdin, endings) : []) {
      if (event.$case === 'exited') found.exited = event.value;
      if (event.$case === 'refused') {
        found.exited = Exited.create({ exitCode: NOT_FOUND_EXIT_CODE });
        kept.stderr.push(Buffer.from(`${step.command[0]}: cannot be executed\n`));
      }
      if (!isOutput(event)) continue;
      kept[event.$case].push(event.value.data);
      if (streamOutput) yield* pieces[event.$case].push(event.value.offset, event.value.data).map(wrap(event.$case));
    }
    found.peakMemoryBytes = await peak?.read();
    if (!found.exited && !found.lost) throw noAnswer(undefined);
  } catch (error) {
    if (signal.aborted) throw error;
    found.exited = undefined;
    found.lost = overdue.aborted ? 'OVERDUE' : await whyLost(workplace, error);
  }
  if (streamOutput) for (const name of ['stdout', 'stderr'] as const) yield* pieces[name].end().map(wrap(name));
  return { ...found, stdout: kept.stdout.bytes(), stderr: kept.stderr.bytes() };
}

function toAgentStart({ command, environment, limits }: ExecutionStep): StartRequest {
  const { wallTime, cpuTime, outputBytes, stackBytes, fileBytes, openFiles } = limits!;
  return StartRequest.create({
    processId: newId('prc'),
    command,
    environment,
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
 * The first bytes of a stream, in memory that grows with them: a program may write them one by one. The agent holds to the limit
 * too, but it lives where the program does.
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

/** A sandbox that ended by itself was ended by its program. One that somebody stopped is no result. */
async function whyLost({ ended }: Workplace, error: unknown): Promise<Ended['lost']> {
  // Of a cell both come to light when a step is to begin: that files did not fit, and that the last step was its end.
  if (hasReason(error, 'DISK_FULL', 'NOT_IMPLEMENTED') || isCellGone(error)) throw error;
  if (!(await endsSoon(ended))) throw noAnswer(error);
  const { stopReason } = (ended.reason as DrydockError).details.metadata ?? {};
  if (stopReason === 'OUT_OF_MEMORY' || stopReason === 'EXITED') return stopReason;
  throw ended.reason;
}
