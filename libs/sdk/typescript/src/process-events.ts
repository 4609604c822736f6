import { type Connection, method } from './connection.ts';
import { ConnectionLostError, OutputLostError, UnavailableError } from './errors.ts';
import {
  type ProcessExited,
  ProcessServiceDefinition,
  type StartProcessResponse,
} from './generated/drydock/v1/process.ts';
import type { Output } from './generated/drydock/v1/resources.ts';

const CONNECT = method(ProcessServiceDefinition, 'connectProcess');
/** Streams that broke one after the other, without an event. */
const MAX_BREAKS = 10;

export type OutputEvent = {
  type: 'stdout' | 'stderr';
  /** Bytes of this stream that came before. */
  offset: number;
  data: Uint8Array;
  /** The same as text; bytes that are not UTF-8 are replaced. */
  text: string;
};
export type ProcessEvent = OutputEvent | { type: 'exited'; exited: ProcessExited };

/** Where a reader of a process is: bytes of each stream that it has seen. */
export type Offset = { stdout: number; stderr: number };

export type Joined = {
  connection: Connection;
  sandboxId: string;
  processId: string;
  signal: AbortSignal;
  /** Moved on with every event. A stream that begins later, where `any` is set, is no loss. */
  offset: Offset;
  any: boolean;
};

/**
 * The events of a process until it has ended. A stream that breaks is joined again where it was: the reader sees neither gap nor
 * repetition. Throws OutputLostError where the platform no longer keeps what comes next.
 */
export async function* follow(
  joined: Joined,
  first?: AsyncIterable<StartProcessResponse>,
): AsyncGenerator<ProcessEvent, void, undefined> {
  let source = first ?? connect(joined);
  for (let breaks = 0; ; source = connect(joined)) {
    let broken: unknown = new ConnectionLostError('the stream of the process ended before the process');
    try {
      for await (const { event } of source) {
        breaks = 0;
        if (event?.$case === 'exited') return yield { type: 'exited', exited: event.value };
        if (event?.$case === 'stdout' || event?.$case === 'stderr') {
          const output = next(joined, event.$case, event.value);
          if (output) yield output;
        }
      }
    } catch (error) {
      if (!(error instanceof UnavailableError)) throw error;
      broken = error;
    }
    breaks += 1;
    if (breaks > MAX_BREAKS) throw broken;
  }
}

function connect({ connection, sandboxId, processId, offset, signal }: Joined): AsyncIterable<StartProcessResponse> {
  const request = { sandboxId, processId, stdoutOffset: offset.stdout, stderrOffset: offset.stderr };
  return connection.stream(CONNECT, request, { signal }, { repeatable: true });
}

/** What of a piece is new. */
function next(joined: Joined, stream: 'stdout' | 'stderr', { offset, content }: Output): OutputEvent | undefined {
  const bytes = content?.$case === 'text' ? Buffer.from(content.value) : (content?.value ?? new Uint8Array());
  const seen = joined.offset[stream];
  if (offset > seen && !joined.any) throw new OutputLostError(stream, offset - seen);
  const repeated = Math.max(0, seen - offset);
  if (repeated >= bytes.length) return undefined;
  const data = bytes.subarray(repeated);
  const text = repeated === 0 && content?.$case === 'text' ? content.value : Buffer.from(data).toString();
  joined.offset[stream] = offset + bytes.length;
  return { type: stream, offset: offset + repeated, data, text };
}
