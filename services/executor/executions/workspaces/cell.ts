import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import { type Cell, type CellEvent, type CellRequest, openCell } from '../../agent/cell.ts';
import { fromAgent, isSilence, noAnswer } from '../../agent/errors.ts';
import type { Backend } from '../../backends/backend.ts';
import { cellSizes } from '../../backends/file-systems.ts';
import { tenantOf } from '../../backends/tenant.ts';
import type { CellHost, CellHosts } from '../cell-hosts.ts';
import { type File, type Input, inputOf, isInline, piecesOf } from '../data.ts';
import { limitControls, type StepEvent, tellFailure, type Workspace, writeFailureOf } from './workspace.ts';

const ATTEMPTS = 3;
const NOTHING = Buffer.alloc(0);

type Dependencies = { cellHosts: CellHosts; backend: Backend; log: Logger };

/** Opens a cell in a cell host of the organisation. Errors: NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED if the template cannot have cells. */
export async function openCellWorkspace(
  dependencies: Dependencies,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Workspace> {
  const tenant = tenantOf(spec);
  for (let attempt = 1; ; attempt++) {
    const host = await dependencies.cellHosts.take({ ...spec, limits: spec.limits!, tenant }, signal);
    try {
      return await workspaceIn(host, spec, dependencies);
    } catch (error) {
      // A cell host may have broken while it was idle, so another one is tried.
      discard(host, dependencies);
      dependencies.log.warn({ err: error, instanceId: host.instance.id }, 'failed to open a cell');
      if (attempt === ATTEMPTS) throw startFailed(error);
    }
  }
}

async function workspaceIn(host: CellHost, { limits }: SandboxSpec, dependencies: Dependencies): Promise<Workspace> {
  const { cellHosts, backend, log } = dependencies;
  const ended = host.lifetime.signal;
  const controls = limitControls(backend, host.instance.id, host);
  if (!(await controls.limit(limits!))) throw new Error('too much memory is in use before anything runs');
  const cell = await openCell(host.instance.link.cells, cellSizes(limits!), ended);
  let left = false;
  const leave = async () => {
    // Only the next user of the cell host waits for this. Released once: after that it may belong to another execution.
    if (!left) void cellHosts.release(host, cell.close());
    left = true;
  };
  return {
    isolation: 'CELL',
    ended,
    ...controls,
    async write(files, signal) {
      using _ending = endingWith(cell, signal);
      try {
        for (const file of files) await writeFile(cell, file);
      } catch (error) {
        throw await writeFailureOf(error, ended);
      }
    },
    keep: (signal) => ask(cell, { $case: 'keep', value: {} }, 'kept', signal, ended),
    renew: (signal) =>
      tellFailure(log, host.instance.id, ask(cell, { $case: 'renew', value: {} }, 'opened', signal, ended)),
    start: (command, stdin, signal) => start(cell, command, stdin, signal, ended),
    vacate: leave,
    [Symbol.asyncDispose]: leave,
  };
}

function discard(host: CellHost, { cellHosts, log }: Dependencies): void {
  cellHosts
    .discard(host)
    .catch((error) =>
      log.warn({ err: error, instanceId: host.instance.id }, 'failed to remove a cell host; trying again later'),
    );
}

function startFailed(cause: unknown): DrydockError {
  return new DrydockError('SANDBOX_START_FAILED', 'failed to open a cell', { cause });
}

/** Sends a request and waits for its one answer. */
async function ask(
  cell: Cell,
  request: CellRequest,
  answer: CellEvent['$case'],
  signal: AbortSignal,
  ended: AbortSignal,
): Promise<void> {
  using _ending = endingWith(cell, signal);
  try {
    await cell.send(request);
    const { $case } = await cell.next();
    if ($case !== answer) throw noAnswer(undefined);
  } catch (error) {
    throw isSilence(error) ? error : await fromAgent(error, ended);
  }
}

async function writeFile(cell: Cell, file: File): Promise<void> {
  for await (const data of piecesOf(file.data))
    await cell.send({ $case: 'file', value: { path: file.name, mode: 0, data } });
}

async function* start(
  cell: Cell,
  command: StartRequest,
  stdin: Input,
  signal: AbortSignal,
  ended: AbortSignal,
): AsyncIterable<StepEvent> {
  const inline = isInline(stdin);
  const request = { ...command, stdin: inline ? stdin : NOTHING, openStdin: !inline };
  using _ending = endingWith(cell, signal);
  let running = true;
  let fed = false;
  let unread: unknown;
  try {
    await cell.send({ $case: 'start', value: request });
    while (running) {
      const event = await cell.next();
      if (event.$case === 'opened' || event.$case === 'kept') continue;
      if (event.$case === 'started' && !inline && !fed) {
        // Once, however often an agent may say that it has started.
        fed = true;
        void feed(cell, stdin, () => running).catch((error) => {
          unread = error;
          cell.abort();
        });
      }
      if (event.$case === 'exited' || event.$case === 'refused') running = false;
      yield event;
    }
  } catch (error) {
    if (unread) throw unread;
    throw isSilence(error) ? error : await fromAgent(error, ended);
  } finally {
    // Also if the reader of the events has stopped reading.
    if (running) cell.abort();
    running = false;
  }
}

function endingWith(cell: Cell, signal: AbortSignal): Disposable {
  signal.throwIfAborted();
  signal.addEventListener('abort', cell.abort, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', cell.abort) };
}

/** Sends an input piece by piece. A program may end before it has read all of it. Throws if the input cannot be read. */
async function feed(cell: Cell, stdin: Input, isWanted: () => boolean): Promise<void> {
  // If it fails, the events of the cell report the end of the program.
  const send = async (data: Buffer, close: boolean) => {
    if (!isWanted()) return false;
    return await cell.send({ $case: 'input', value: { data, close } }).then(
      () => true,
      () => false,
    );
  };
  for await (const data of inputOf(stdin)) if (!(await send(data, false))) return;
  await send(NOTHING, true);
}
