import { createHash } from 'node:crypto';
import { invalidField } from '#libs/errors.ts';
import { checkFields } from '#libs/field-checks.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { idFrom, newId } from '#libs/ids.ts';
import {
  type ConnectResponse,
  type ProcessInfo,
  StartRequest as StartAgentRequest,
  type StartResponse,
} from '#proto/drydock/agent/v1/agent.ts';
import type {
  Process,
  ProcessServiceDefinition,
  StartProcessRequest,
  StartProcessResponse,
  TerminalSize,
} from '#proto/drydock/v1/process.ts';
import type { Output } from '#proto/drydock/v1/resources.ts';
import { fromAgent } from '../agent/errors.ts';
import { createOutput } from '../agent/output.ts';
import { connectProcess, startProcess } from '../agent/processes.ts';
import { signalNumber } from '../agent/signals.ts';
import { toExited } from '../agent/usage.ts';
import type { Sandbox, Sandboxes } from '../sandboxes/sandboxes.ts';
import { problemOfPath } from './paths.ts';

const KiB = 1024;
const MAX_WORDS = 1024;
const MAX_COMMAND_BYTES = 128 * KiB;
const MAX_ENVIRONMENT_BYTES = 32 * KiB;
const MAX_VARIABLES = 128;
const MAX_INPUT_BYTES = 1024 * KiB;
const MAX_TERMINAL = 1000;
const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;
const AGENT_DEADLINE_MS = 10_000;

export function createProcesses(sandboxes: Sandboxes): Rpc<ProcessServiceDefinition> {
  const find = (sandboxId: string, call: Call): Sandbox => sandboxes.get(sandboxId, callerOf(call).organizationId);
  const unary = async <T>(sandbox: Sandbox, call: Call, ask: (options: AgentOptions) => Promise<T>): Promise<T> => {
    const { signal: ended } = sandbox.lifetime;
    try {
      return await ask({ signal: AbortSignal.any([call.signal, ended]), deadlineMs: AGENT_DEADLINE_MS });
    } catch (error) {
      throw await fromAgent(error, ended);
    }
  };
  return {
    startProcess(request, call) {
      const sandbox = find(request.sandboxId, call);
      checkStart(request);
      const start = toAgentStart(request);
      const { processes } = sandbox.instance.link;
      return events(sandbox, call, (signal) => startProcess(processes, start, signal));
    },
    connectProcess(request, call) {
      const sandbox = find(request.sandboxId, call);
      if (request.stdoutOffset < 0 || request.stderrOffset < 0)
        throw invalidField('stdoutOffset', 'must not be negative');
      const { processId, stdoutOffset, stderrOffset } = request;
      const join = { processId, stdoutOffset, stderrOffset, takeOver: false };
      const { processes } = sandbox.instance.link;
      return events(sandbox, call, (signal) => connectProcess(processes, join, signal));
    },
    async listProcesses({ sandboxId }, call) {
      const sandbox = find(sandboxId, call);
      const { processes } = await unary(sandbox, call, (options) => sandbox.instance.link.processes.list({}, options));
      return { processes: processes.map(toProcess) };
    },
    async writeProcessInput({ sandboxId, processId, input, close }, call) {
      const sandbox = find(sandboxId, call);
      const data = Buffer.from(input?.value ?? '');
      if (data.length > MAX_INPUT_BYTES) throw invalidField(input?.$case ?? 'data', 'is larger than 1 MiB');
      await unary(sandbox, call, ({ signal }) =>
        // No deadline: the call blocks while the program does not read.
        sandbox.instance.link.processes.writeInput({ processId, data, close }, { signal }),
      );
      return {};
    },
    async signalProcess({ sandboxId, processId, signal: name }, call) {
      const sandbox = find(sandboxId, call);
      const signal = signalNumber(name);
      if (signal === undefined) throw invalidField('signal', 'is unknown; give the name of a signal, such as SIGTERM');
      await unary(sandbox, call, (options) => sandbox.instance.link.processes.signal({ processId, signal }, options));
      return {};
    },
    async resizeProcess({ sandboxId, processId, terminal }, call) {
      const sandbox = find(sandboxId, call);
      const check = checkFields();
      if (!isTerminal(terminal)) check.violation('terminal', `needs columns and rows from 1 to ${MAX_TERMINAL}`);
      check.done();
      await unary(sandbox, call, (options) => sandbox.instance.link.processes.resize({ processId, terminal }, options));
      return {};
    },
  };
}

type AgentOptions = { signal: AbortSignal; deadlineMs: number };

/** Translates an agent's events, at the caller's pace. */
async function* events(
  sandbox: Sandbox,
  call: Call,
  open: (signal: AbortSignal) => AsyncIterable<StartResponse | ConnectResponse>,
): AsyncIterable<StartProcessResponse> {
  const { signal: ended } = sandbox.lifetime;
  const outputs = { stdout: createOutput(), stderr: createOutput() };
  const wrap =
    (name: 'stdout' | 'stderr') =>
    (value: Output): StartProcessResponse => ({ event: { $case: name, value } });
  try {
    for await (const { event } of open(AbortSignal.any([call.signal, ended]))) {
      switch (event?.$case) {
        case 'started':
          yield { event: { $case: 'started', value: { processId: event.value.processId, pid: event.value.pid } } };
          break;
        case 'stdout':
        case 'stderr':
          yield* outputs[event.$case].push(event.value.offset, event.value.data).map(wrap(event.$case));
          break;
        case 'exited':
          yield* outputs.stdout.end(false).map(wrap('stdout'));
          yield* outputs.stderr.end(false).map(wrap('stderr'));
          yield { event: { $case: 'exited', value: toExited(event.value) } };
      }
    }
  } catch (error) {
    throw await fromAgent(error, ended);
  }
}

function checkStart(request: StartProcessRequest): void {
  const check = checkFields();
  const { command, environment, workingDirectory, stdin, openStdin, terminal } = request;
  if (!command[0]) check.violation('command', 'is required');
  if (command.length > MAX_WORDS) check.violation('command', `has more than ${MAX_WORDS} words`);
  if (command.some((word) => word.includes('\0'))) check.violation('command', 'contains a NUL character');
  if (bytesOf(command) > MAX_COMMAND_BYTES) check.violation('command', 'is larger than 128 KiB');
  const variables = Object.entries(environment);
  if (variables.length > MAX_VARIABLES) check.violation('environment', `has more than ${MAX_VARIABLES} variables`);
  if (bytesOf(variables.flat()) > MAX_ENVIRONMENT_BYTES) check.violation('environment', 'is larger than 32 KiB');
  for (const [name, value] of variables) {
    if (!VARIABLE_NAME.test(name)) check.violation('environment', 'has a name that is not [A-Za-z_][A-Za-z0-9_]*');
    if (value.includes('\0')) check.violation('environment', 'contains a NUL character');
  }
  const directory = workingDirectory && problemOfPath(workingDirectory);
  if (directory) check.violation('workingDirectory', directory);
  if (stdin.length > MAX_INPUT_BYTES) check.violation('stdin', 'is larger than 1 MiB');
  if (stdin.length > 0 && (openStdin || terminal))
    check.violation('stdin', 'cannot be combined with openStdin and terminal');
  if (terminal && !isTerminal(terminal))
    check.violation('terminal', `needs columns and rows from 1 to ${MAX_TERMINAL}`);
  check.string('requestId', request.requestId, { maxLength: 128 });
  check.done();
}

function isTerminal(size: TerminalSize | undefined): boolean {
  const fits = (value: number) => value >= 1 && value <= MAX_TERMINAL;
  return size !== undefined && fits(size.columns) && fits(size.rows);
}

function bytesOf(words: string[]): number {
  return words.reduce((sum, word) => sum + Buffer.byteLength(word) + 1, 0);
}

function toAgentStart({ requestId, sandboxId, ...request }: StartProcessRequest): StartAgentRequest {
  // A retried request gets the id of the process that it started before.
  const digest = createHash('sha256').update(`${sandboxId}\0${requestId}`).digest();
  return StartAgentRequest.create({
    processId: requestId ? idFrom('prc', digest) : newId('prc'),
    command: request.command,
    environment: request.environment,
    workingDirectory: request.workingDirectory,
    stdin: request.stdin,
    openStdin: request.openStdin,
    terminal: request.terminal,
    detached: request.detached,
  });
}

function toProcess(info: ProcessInfo): Process {
  return {
    id: info.processId,
    pid: info.pid,
    command: info.command,
    startTime: new Date(info.startUnixMicroseconds / 1000),
    exited: info.exited && toExited(info.exited),
    detached: info.detached,
  };
}
