import type { OpenCell, RunRequest, RunResponse } from '#proto/drydock/agent/v1/agent.ts';
import { noAnswer } from './errors.ts';
import type { AgentLink } from './link.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;

export type CellRequest = NonNullable<RunRequest['request']>;
export type CellEvent = NonNullable<RunResponse['event']>;

/** A cell: fresh namespaces in a sandbox. It lives as long as one call to the agent. */
export type Cell = {
  /** Resolves when the request was sent. */
  send(request: CellRequest): Promise<void>;
  /** The agent's next event. Throws if the call has ended. */
  next(): Promise<CellEvent>;
  /** Kills everything in the cell. */
  abort(): void;
  /** Ends the cell, and answers whether the agent confirmed its end within 2 s. Idempotent. */
  close(): Promise<boolean>;
};

/** Opens a cell. Errors: NOT_IMPLEMENTED if the sandbox cannot have cells. Aborting `signal` kills the cell. */
export async function openCell(cells: AgentLink['cells'], open: OpenCell, signal: AbortSignal): Promise<Cell> {
  const { readable, writable } = new TransformStream<RunRequest>();
  const requests = writable.getWriter();
  const call = new AbortController();
  const responses = cells.run(readable, { signal: AbortSignal.any([call.signal, signal]) })[Symbol.asyncIterator]();
  // One read is always outstanding: it opens the call, and unblocks writers if the call ends first.
  const read = () => {
    const answer = responses.next();
    answer.catch(() => {});
    return answer;
  };
  let ahead = read();
  const next = async (): Promise<CellEvent> => {
    const { value, done } = await ahead;
    if (done || !value.event) throw noAnswer(undefined);
    ahead = read();
    return value.event;
  };
  let closing: Promise<boolean> | undefined;
  const closeOnce = async (): Promise<boolean> => {
    const deadline = setTimeout(() => call.abort(), CLOSE_DEADLINE_MS);
    try {
      await requests.close();
      for (let last = await ahead; !last.done; ) last = await responses.next();
      return !call.signal.aborted;
    } catch {
      return false;
    } finally {
      clearTimeout(deadline);
    }
  };
  const cell: Cell = {
    async send(request) {
      try {
        await requests.write({ request });
      } catch {
        // The call has ended, and its next read throws the reason.
        throw noAnswer(await next());
      }
    },
    next,
    abort: () => call.abort(),
    close: () => (closing ??= closeOnce()),
  };

  // If the call ends before its requests do, its reader gets the error.
  requests.closed.catch(() => {});
  const deadline = setTimeout(() => call.abort(), OPEN_DEADLINE_MS);
  try {
    await cell.send({ $case: 'open', value: open });
    const opened = await cell.next();
    if (opened.$case !== 'opened') throw noAnswer(undefined);
    return cell;
  } catch (error) {
    call.abort();
    throw error;
  } finally {
    clearTimeout(deadline);
  }
}
