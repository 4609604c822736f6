import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { StartRequest, WriteRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { fromAgent, isSilence, noAnswer } from '../../agent/errors.ts';
import { startProcess } from '../../agent/processes.ts';
import type { Backend } from '../../backends/backend.ts';
import type { Sandbox, Sandboxes } from '../../sandboxes/sandboxes.ts';
import { type File, type Input, inputOf, isInline, piecesOf } from '../data.ts';
import {
  limitControls,
  PROGRAM_DIRECTORY,
  type StepEvent,
  tellFailure,
  type Workspace,
  writeFailureOf,
} from './workspace.ts';

const WRITES_AT_ONCE = 4;
const AGENT_DEADLINE_MS = 10_000;
const NOTHING = Buffer.alloc(0);

/** Claims a sandbox as a workspace, destroyed afterwards. Errors: NO_CAPACITY, SANDBOX_START_FAILED. */
export async function openSandboxWorkspace(
  { sandboxes, backend, log }: { sandboxes: Sandboxes; backend: Backend; log: Logger },
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Workspace> {
  const sandbox = await sandboxes.claim(spec, signal);
  // Session does not record the sandbox of an execution, so no confirmation will come.
  sandbox.confirmed = true;
  const { instance, limits, sandboxId } = sandbox;
  const ended = sandbox.lifetime.signal;
  const { control } = instance.link;
  // A failure is retried as overdue.
  const destroy = () =>
    sandboxes
      .destroy(sandboxId)
      .catch((error) =>
        log.warn({ err: error, sandboxId }, 'failed to destroy the sandbox of an execution; trying again later'),
      );
  return {
    isolation: 'SANDBOX',
    ended,
    ...limitControls(backend, instance.id, { limits }),
    write: (files, signal) => writeFiles(sandbox, files, signal),
    keep: (signal) => ask(control.keep({}, { signal, deadlineMs: AGENT_DEADLINE_MS }), ended),
    renew: (signal) =>
      tellFailure(log, instance.id, ask(control.renew({}, { signal, deadlineMs: AGENT_DEADLINE_MS }), ended)),
    start: (command, stdin, signal) => start(sandbox, command, stdin, signal),
    vacate: destroy,
    async [Symbol.asyncDispose]() {
      // In the background: the sandbox keeps its capacity until it is destroyed.
      void destroy();
    },
  };
}

async function ask(call: Promise<unknown>, ended: AbortSignal): Promise<void> {
  try {
    await call;
  } catch (error) {
    throw isSilence(error) ? error : await fromAgent(error, ended);
  }
}

async function writeFiles({ instance, lifetime }: Sandbox, files: File[], signal: AbortSignal): Promise<void> {
  const options = { signal: AbortSignal.any([signal, lifetime.signal]) };
  const queue = files.values();
  const worker = async () => {
    for (const file of queue) await instance.link.files.write(toMessages(file), options);
  };
  try {
    if (files.length === 0) await instance.link.files.makeDirectory({ path: PROGRAM_DIRECTORY }, options);
    await Promise.all(Array.from({ length: Math.min(WRITES_AT_ONCE, files.length) }, worker));
  } catch (error) {
    throw await writeFailureOf(error, lifetime.signal);
  }
}

async function* toMessages({ name, data: all }: File): AsyncIterable<WriteRequest> {
  let path = `${PROGRAM_DIRECTORY}/${name}`;
  for await (const data of piecesOf(all)) {
    yield { path, mode: path ? 0o644 : 0, data, complete: false };
    path = '';
  }
  yield { path: '', mode: 0, data: NOTHING, complete: true };
}

async function* start(
  sandbox: Sandbox,
  command: StartRequest,
  stdin: Input,
  signal: AbortSignal,
): AsyncIterable<StepEvent> {
  const inline = isInline(stdin);
  const request = { ...command, stdin: inline ? stdin : NOTHING, openStdin: !inline };
  const inputLost = new AbortController();
  const endings = AbortSignal.any([signal, inputLost.signal]);
  try {
    for await (const { event } of startProcess(sandbox.instance.link.processes, request, endings)) {
      if (event?.$case === 'started' && !inline) void feed(sandbox, request.processId, stdin, inputLost);
      if (event) yield event;
    }
  } catch (error) {
    if (!hasReason(error, 'COMMAND_NOT_FOUND')) throw error;
    yield { $case: 'refused', value: { message: error.message } };
  }
}

/**
 * Sends an input piece by piece. A program may end before it has read all of it. Aborts `inputLost` if a piece got no answer, since it
 * may or may not have arrived, and if the input itself failed.
 */
async function feed(
  { instance, lifetime }: Sandbox,
  processId: string,
  stdin: Input,
  inputLost: AbortController,
): Promise<void> {
  const send = (data: Buffer, close: boolean) =>
    instance.link.processes.writeInput({ processId, data, close }, { signal: lifetime.signal });
  try {
    for await (const data of inputOf(stdin)) await send(data, false);
    await send(NOTHING, true);
  } catch (error) {
    // The agent's own errors say that the process has ended, as its stream does.
    if (isSilence(error) || !(error instanceof DrydockError || lifetime.signal.aborted))
      inputLost.abort(noAnswer(error));
  }
}
