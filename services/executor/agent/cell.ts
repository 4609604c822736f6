import type { OpenCell, RunRequest, RunResponse } from '#proto/drydock/agent/v1/agent.ts';
import { noAnswer } from './errors.ts';
import type { AgentLink } from './link.ts';

const OPEN_DEADLINE_MS = 10_000;
const CLOSE_DEADLINE_MS = 2_000;

export type CellRequest = NonNullable<RunRequest['request']>;
export type CellEvent = NonNullable<RunResponse['event']>;

/** Fresh namespaces in a sandbox: one call to its agent, which lives as long as the call. */
export type Cell = {
  /** Resolves when it is on its way. */
  send(request: CellRequest): Promise<void>;
  /** What the agent says next. Throws where it says nothing more. */
  next(): Promise<CellEvent>;
  /** Ends everything in it at once. */
  abort(): void;
  /** Ends it, and answers whether it is known to be gone. May be repeated. */
  close(): Promise<boolean>;
};

/** Makes a cell. Errors: NOT_IMPLEMENTED where there can be none. Aborting `signal` ends it. */
export async function openCell(cells: AgentLink['cells'], open: OpenCell, signal: AbortSignal): Promise<Cell> {
  const { readable, writable } = new TransformStream<RunRequest>();
  const requests = writable.getWriter();
  const call = new AbortController();
  const responses = cells.run(readable, { signal: AbortSignal.any([call.signal, signal]) })[Symbol.asyncIterator]();
  // One answer is always asked for: it begins the call, and where that ends while requests are sent, they are not stuck.
  const ask = () => {
    const answer = responses.next();
    answer.catch(() => {});
    return answer;
  };
  let ahead = ask();
  const next = async (): Promise<CellEvent> => {
    const { value, done } = await ahead;
    if (done || !value.event) throw noAnswer(undefined);
    ahead = ask();
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
        // The call has ended, and says why.
        throw noAnswer(await next());
      }
    },
    next,
    abort: () => call.abort(),
    close: () => (closing ??= closeOnce()),
  };

  // Where the call ends before its requests do, whoever reads it is told.
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
