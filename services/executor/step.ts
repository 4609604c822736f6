import { Status } from 'nice-grpc-common';
import { millisecondsOf } from '#libs/catalog/limits.ts';
import { DrydockError } from '#libs/errors.ts';
import { newId } from '#libs/ids.ts';
import { Exited, StartRequest, type StartResponse } from '#proto/drydock/agent/v1/agent.ts';
import type { RunExecutionResponse } from '#proto/drydock/internal/v1/executor.ts';
import type { ExecutionStep } from '#proto/drydock/internal/v1/spec.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { endsSoon, noAnswer } from './agent-errors.ts';
import { createOutput } from './output.ts';
import type { Sandbox } from './sandboxes.ts';
import type { Ended } from './verdict.ts';

/** Where the files of an execution are, and where its commands run. */
export const PROGRAM_DIRECTORY = '/home/user/program';

/** Bytes that go to the agent in one message. */
export const PIECE_BYTES = 256 * 1024;

// What a step may take beyond its own wall time until it is given up: the agent ends it at the limit.
const MARGIN_MS = 10_000;

/** As a shell would say that there is no such command. */
const NOT_FOUND_EXIT_CODE = 127;

/**
 * Runs one command of an execution to its end, whichever that is. With `streamOutput` its output comes as it is made.
 * Throws where the end is nobody's doing but ours: the caller left, the sandbox was stopped, the agent does not answer.
 */
export async function* runStep(
  sandbox: Sandbox,
  step: ExecutionStep,
  { stdin, streamOutput, signal }: { stdin: Buffer; streamOutput: boolean; signal: AbortSignal },
): AsyncGenerator<RunExecutionResponse, Ended> {
  const limits = step.limits!;
  const request = toAgentStart(step, stdin);
  const kept = { stdout: keepUpTo(limits.outputBytes), stderr: keepUpTo(limits.outputBytes) };
  const pieces = { stdout: createOutput(), stderr: createOutput() };
  const overdue = AbortSignal.timeout(millisecondsOf(limits.wallTime!) + MARGIN_MS);
  const endings = AbortSignal.any([signal, sandbox.ended.signal, overdue]);
  let exited: Exited | undefined;
  let lost: Ended['lost'];
  try {
    for await (const { event } of sandbox.instance.link.processes.start(request, { signal: endings })) {
      if (event?.$case === 'started' && request.openStdin) void feed(sandbox, request.processId, stdin);
      if (event?.$case === 'exited') exited = event.value;
      if (!isOutput(event)) continue;
      kept[event.$case].push(event.value.data);
      if (streamOutput) yield* pieces[event.$case].push(event.value.offset, event.value.data).map(wrap(event.$case));
    }
    if (!exited) throw noAnswer(undefined);
  } catch (error) {
    if (signal.aborted) throw error;
    if (overdue.aborted) lost = 'OVERDUE';
    else if (isNotExecutable(error)) {
      exited = Exited.create({ exitCode: NOT_FOUND_EXIT_CODE });
      kept.stderr.push(Buffer.from(`${request.command[0]}: cannot be executed\n`));
    } else lost = await whyLost(sandbox, error);
  }
  if (streamOutput) for (const name of ['stdout', 'stderr'] as const) yield* pieces[name].end().map(wrap(name));
  return { exited, lost, stdout: kept.stdout.bytes(), stderr: kept.stderr.bytes() };
}

function toAgentStart({ command, environment, limits }: ExecutionStep, stdin: Buffer): StartRequest {
  const inline = stdin.length <= PIECE_BYTES;
  return StartRequest.create({
    processId: newId('prc'),
    command,
    environment,
    workingDirectory: PROGRAM_DIRECTORY,
    stdin: inline ? stdin : Buffer.alloc(0),
    openStdin: !inline,
    wallNanoseconds: Math.round(millisecondsOf(limits!.wallTime!) * 1e6),
    cpuNanoseconds: Math.round(millisecondsOf(limits!.cpuTime!) * 1e6),
    outputBytes: limits!.outputBytes,
  });
}

/** The first bytes of a stream. The agent holds to the limit too, but it lives where the program does. */
function keepUpTo(limit: number) {
  const pieces: Uint8Array[] = [];
  let length = 0;
  return {
    push(data: Uint8Array) {
      const piece = data.subarray(0, limit - length);
      length += piece.length;
      if (piece.length > 0) pieces.push(piece);
    },
    bytes: () => Buffer.concat(pieces),
  };
}

type Event = StartResponse['event'];

function isOutput(event: Event): event is Extract<Event, { $case: 'stdout' | 'stderr' }> {
  return event?.$case === 'stdout' || event?.$case === 'stderr';
}

function wrap(name: 'stdout' | 'stderr') {
  return (value: Output): RunExecutionResponse => ({ event: { $case: name, value } });
}

/** A sandbox that ended by itself was ended by its program. One that somebody stopped is no result. */
async function whyLost(sandbox: Sandbox, error: unknown): Promise<Ended['lost']> {
  const { signal: ended } = sandbox.ended;
  if (!(await endsSoon(ended))) throw noAnswer(error);
  const { stopReason } = (ended.reason as DrydockError).details.metadata ?? {};
  if (stopReason === 'OUT_OF_MEMORY' || stopReason === 'EXITED') return stopReason;
  throw ended.reason;
}

function isNotExecutable(error: unknown): boolean {
  return (
    error instanceof DrydockError && (error.cause as { code?: Status } | undefined)?.code === Status.INVALID_ARGUMENT
  );
}

/** Gives a long input piece by piece. A program that ends before it has read all of it is its own affair. */
async function feed({ instance, ended }: Sandbox, processId: string, stdin: Buffer): Promise<void> {
  try {
    for (let at = 0; at < stdin.length; at += PIECE_BYTES) {
      const data = stdin.subarray(at, at + PIECE_BYTES);
      const close = at + PIECE_BYTES >= stdin.length;
      await instance.link.processes.writeInput({ processId, data, close }, { signal: ended.signal });
    }
  } catch {
    // How the program ended is told by its own stream.
  }
}
