import { setTimeout as pause } from 'node:timers/promises';
import { DrydockError, hasReason } from '#libs/errors.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type {
  ConnectRequest,
  ConnectResponse,
  ProcessServiceDefinition,
  StartRequest,
  StartResponse,
} from '#proto/drydock/agent/v1/agent.ts';
import { isSilence, noAnswer } from './errors.ts';

type Processes = Client<ProcessServiceDefinition>;
type Event = StartResponse | ConnectResponse;
type Events = AsyncIterable<Event>;
type Offsets = { stdoutOffset: number; stderrOffset: number };

// Less than the 10 s for which an agent keeps a process whose call was lost.
const REJOIN_MS = 8_000;
const PAUSE_MS = 50;
const MAX_PAUSE_MS = 1_000;
// A connection that lasted for less was none: an agent could have its executor join for ever.
const STABLE_MS = 1_000;

/**
 * Starts a process and streams its events, across connections to the agent that are lost for up to 8 s: `started` first, output
 * without gaps, `exited` last, each of the two once. Aborting `signal` kills the process. Errors: those of the agent; INTERNAL if
 * its events are in another order; SERVICE_UNAVAILABLE if output was lost.
 */
export function startProcess(processes: Processes, request: StartRequest, signal: AbortSignal): Events {
  const { processId } = request;
  const first = () => processes.start(request, { signal });
  return follow(processId, first, signal, async function* (offsets) {
    try {
      yield* processes.connect({ processId, ...offsets, takeOver: true }, { signal });
    } catch (error) {
      // The request to start was lost with the connection.
      if (!hasReason(error, 'PROCESS_NOT_FOUND')) throw error;
      yield* first();
    }
  });
}

/** Streams the events of a running process in the same way. Aborting `signal` leaves the process running. */
export function connectProcess(processes: Processes, request: ConnectRequest, signal: AbortSignal): Events {
  const join = (offsets: Offsets) => processes.connect({ ...request, ...offsets }, { signal });
  return follow(request.processId, () => join(request), signal, join, request);
}

async function* follow(
  processId: string,
  first: () => Events,
  signal: AbortSignal,
  again: (offsets: Offsets) => Events,
  from: Offsets = { stdoutOffset: 0, stderrOffset: 0 },
): Events {
  const order = followOrder(processId);
  let open = first;
  let lostAt: number | undefined;
  let pauseMs = PAUSE_MS;
  for (;;) {
    const openedAt = Date.now();
    order.join();
    try {
      for await (const response of open()) if (order.isNew(response)) yield response;
      order.end();
      return;
    } catch (error) {
      if (signal.aborted || !isSilence(error)) throw error;
      if (order.hasEnded()) return;
      const wasStable = Date.now() - openedAt > STABLE_MS && order.isJoined();
      if (wasStable) lostAt = undefined;
      pauseMs = wasStable ? PAUSE_MS : Math.min(2 * pauseMs, MAX_PAUSE_MS);
      lostAt ??= Date.now();
      if (Date.now() - lostAt > REJOIN_MS) throw error;
      await pause(pauseMs, undefined, { signal });
      const { stdout = from.stdoutOffset, stderr = from.stderrOffset } = order.seen;
      open = () => again({ stdoutOffset: stdout, stderrOffset: stderr });
    }
  }
}

/** Holds an agent to the order of a process's events, across its connections. */
function followOrder(processId: string) {
  const seen: { stdout?: number; stderr?: number } = {};
  let state: 'begun' | 'joined' | 'exited' = 'begun';
  let wasStarted = false;
  return {
    /** Where the next output begins. */
    seen,
    /** Another connection begins with `started` anew. */
    join() {
      state = 'begun';
    },
    isJoined: () => state !== 'begun',
    hasEnded: () => state === 'exited',
    /** False for what an earlier connection has told. Throws if the event may not come now, or output was lost. */
    isNew({ event }: Event): boolean {
      const isStart = event?.$case === 'started';
      if (state === 'exited' || isStart !== (state === 'begun')) throw outOfOrder(event?.$case);
      if (isStart) {
        if (event.value.processId !== processId) throw outOfOrder('the start of another process');
        state = 'joined';
        if (wasStarted) return false;
        wasStarted = true;
        return true;
      }
      if (event?.$case === 'exited') state = 'exited';
      if (event?.$case === 'stdout' || event?.$case === 'stderr') {
        const { offset, data } = event.value;
        // The first output may start late, where the agent's buffer starts; later output has no gaps.
        if (offset > (seen[event.$case] ?? offset)) throw noAnswer(new Error('output was lost with a connection'));
        if (offset < (seen[event.$case] ?? 0)) throw outOfOrder(`${event.$case} a second time`);
        seen[event.$case] = offset + data.length;
      }
      return true;
    },
    /** Throws if the events are not complete. */
    end() {
      if (state !== 'exited') throw outOfOrder('its end');
    },
  };
}

const outOfOrder = (what = 'nothing') => new DrydockError('INTERNAL', `the sandbox sent ${what} where it may not`);
