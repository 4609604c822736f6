import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import type { StartRequest } from '#proto/drydock/agent/v1/agent.ts';
import type { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { SourceFile } from '#proto/drydock/v1/execution.ts';
import { type Cell, openCell } from '../../agent/cell.ts';
import { fromAgent, isSilence } from '../../agent/errors.ts';
import type { Backend } from '../../backends/backend.ts';
import { cellSizes } from '../../backends/file-systems.ts';
import { tenantOf } from '../../backends/tenant.ts';
import type { Lease, Leases } from '../cell-hosts.ts';
import { confinesOf, PIECE_BYTES, piecesOf, type StepEvent, type Workplace, whyNotWritten } from './workspace.ts';

const ATTEMPTS = 3;
const NOTHING = Buffer.alloc(0);

type Dependencies = { leases: Leases; backend: Backend; log: Logger };

/**
 * A cell in a sandbox that is leased to the organisation. Errors: NO_CAPACITY, SANDBOX_START_FAILED; NOT_IMPLEMENTED where
 * the template can have no cells.
 */
export async function openCellWorkplace(
  dependencies: Dependencies,
  spec: SandboxSpec,
  signal: AbortSignal,
): Promise<Workplace> {
  const tenant = tenantOf(spec);
  for (let attempt = 1; ; attempt++) {
    const lease = await dependencies.leases.take({ ...spec, limits: spec.limits!, tenant }, signal);
    try {
      return await workplaceIn(lease, spec, dependencies);
    } catch (error) {
      // What a sandbox was like that waited since its last cell is found out only now; another may fare better.
      discard(lease, dependencies);
      dependencies.log.warn({ err: error, instanceId: lease.instance.id }, 'leased sandbox could not be used');
      if (attempt === ATTEMPTS) throw startFailed(error);
    }
  }
}

async function workplaceIn(lease: Lease, { limits }: SandboxSpec, dependencies: Dependencies): Promise<Workplace> {
  const { leases, backend } = dependencies;
  const ended = lease.ended.signal;
  const confines = confinesOf(backend, lease.instance.id, lease);
  if (!(await confines.limit(limits!))) throw new Error('too much memory is in use before anything runs');
  const cell = await openCell(lease.instance.link.cells, cellSizes(limits!), ended);
  let left = false;
  return {
    isolation: 'CELL',
    ended,
    ...confines,
    async write(files, signal) {
      using _ending = endingWith(cell, signal);
      try {
        for (const file of files) await writeFile(cell, file);
      } catch (error) {
        throw await whyNotWritten(error, ended);
      }
    },
    // The agent has ended what an earlier step started before it told of that one's end.
    async clear() {},
    start: (command, stdin, signal) => start(cell, command, stdin, signal, ended),
    async [Symbol.asyncDispose]() {
      // Nobody waits for it but who wants the sandbox next. Once only: by the second time it may be somebody's.
      if (!left) void leases.leave(lease, cell.close());
      left = true;
    },
  };
}

function discard(lease: Lease, { leases, log }: Dependencies): void {
  leases
    .discard(lease)
    .catch((error) => log.warn({ err: error, instanceId: lease.instance.id }, 'leased sandbox not removed yet'));
}

function startFailed(cause: unknown): DrydockError {
  return new DrydockError('SANDBOX_START_FAILED', 'no cell could be made', { cause });
}

async function writeFile(cell: Cell, { name, content }: SourceFile): Promise<void> {
  for (const data of piecesOf(Buffer.from(content?.value ?? '')))
    await cell.send({ $case: 'file', value: { path: name, mode: 0, data } });
}

async function* start(
  cell: Cell,
  command: StartRequest,
  stdin: Buffer,
  signal: AbortSignal,
  ended: AbortSignal,
): AsyncIterable<StepEvent> {
  const inline = stdin.length <= PIECE_BYTES;
  const request = { ...command, stdin: inline ? stdin : NOTHING, openStdin: !inline };
  using _ending = endingWith(cell, signal);
  let running = true;
  let fed = false;
  try {
    await cell.send({ $case: 'start', value: request });
    while (running) {
      const event = await cell.next();
      if (event.$case === 'opened') continue;
      if (event.$case === 'started' && !inline && !fed) {
        // Once, however often an agent may say that it has started.
        fed = true;
        void feed(cell, stdin, () => running);
      }
      if (event.$case === 'exited' || event.$case === 'refused') running = false;
      yield event;
    }
  } catch (error) {
    throw isSilence(error) ? error : await fromAgent(error, ended);
  } finally {
    // Also where whoever read the events has left.
    if (running) cell.abort();
    running = false;
  }
}

function endingWith(cell: Cell, signal: AbortSignal): Disposable {
  signal.throwIfAborted();
  signal.addEventListener('abort', cell.abort, { once: true });
  return { [Symbol.dispose]: () => signal.removeEventListener('abort', cell.abort) };
}

/** Gives a long input piece by piece. A program that ends before it has read all of it is its own affair. */
async function feed(cell: Cell, stdin: Buffer, isWanted: () => boolean): Promise<void> {
  try {
    let given = 0;
    for (const data of piecesOf(stdin)) {
      if (!isWanted()) return;
      given += data.length;
      await cell.send({ $case: 'input', value: { data, close: given === stdin.length } });
    }
  } catch {
    // How the program ended is told by the cell's own events.
  }
}
