import { setTimeout as pause } from 'node:timers/promises';
import { hasReason } from '#libs/errors.ts';
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
type Events = AsyncIterable<StartResponse | ConnectResponse>;
type Offsets = { stdoutOffset: number; stderrOffset: number };

// Less than the 10 s for which an agent keeps a process whose call was lost.
const REJOIN_MS = 8_000;
const PAUSE_MS = 50;

/**
 * Starts a process and streams its events, across connections to the agent that are lost for up to 8 s. Aborting `signal` kills the
 * process. Errors: those of the agent; SERVICE_UNAVAILABLE if output was lost.
 */
export function startProcess(processes: Processes, request: StartRequest, signal: AbortSignal): Events {
  const { processId } = request;
  const first = () => processes.start(request, { signal });
  return follow(first, signal, async function* (offsets) {
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
  return follow(() => join(request), signal, join, request);
}

async function* follow(
  first: () => Events,
  signal: AbortSignal,
  again: (offsets: Offsets) => Events,
  from: Offsets = { stdoutOffset: 0, stderrOffset: 0 },
): Events {
  const seen: { stdout?: number; stderr?: number } = {};
  let started = false;
  let open = first;
  let lostAt: number | undefined;
  for (;;) {
    try {
      for await (const response of open()) {
        const { event } = response;
        lostAt = undefined;
        if (event?.$case === 'started' && started) continue;
        started = true;
        if (event?.$case === 'stdout' || event?.$case === 'stderr') {
          const { offset, data } = event.value;
          // The first output may start late, where the agent's buffer starts; later output has no gaps.
          if (offset > (seen[event.$case] ?? offset)) throw noAnswer(new Error('output was lost with a connection'));
          seen[event.$case] = offset + data.length;
        }
        yield response;
      }
      return;
    } catch (error) {
      if (signal.aborted || !isSilence(error)) throw error;
      lostAt ??= Date.now();
      if (Date.now() - lostAt > REJOIN_MS) throw error;
      await pause(PAUSE_MS, undefined, { signal });
      const { stdout = from.stdoutOffset, stderr = from.stderrOffset } = seen;
      open = () => again({ stdoutOffset: stdout, stderrOffset: stderr });
    }
  }
}
