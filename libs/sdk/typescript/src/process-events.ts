import { toBytes, toText } from './bytes.ts';
import { type Connection, method } from './connection.ts';
import { ConnectionLostError, OutputLostError } from './errors.ts';
import {
  type ProcessExited,
  ProcessServiceDefinition,
  type StartProcessResponse,
} from './generated/drydock/v1/process.ts';
import type { Output } from './generated/drydock/v1/resources.ts';
import { createBreaks } from './retries.ts';

const CONNECT = method(ProcessServiceDefinition, 'connectProcess');

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
  /** Moved on with every event. */
  offset: Offset;
  /** An output whose first piece comes later than at 0 is no loss. */
  any: boolean;
};

/**
 * The events of a process until it has ended. A stream that breaks is joined again where it was: the reader sees neither gap nor
 * repetition. Throws OutputLostError where the platform no longer keeps what comes next, and UnavailableError where it breaks too
 * often without anything new.
 */
export async function* follow(
  joined: Joined,
  first?: AsyncIterable<StartProcessResponse>,
): AsyncGenerator<ProcessEvent, void, undefined> {
  let source = first ?? connect(joined);
  for (const breaks = createBreaks(joined.signal); ; source = connect(joined)) {
    let broken: unknown = new ConnectionLostError('the stream of the process ended before the process');
    try {
      for await (const { event } of source) {
        if (event?.$case === 'exited') return yield { type: 'exited', exited: event.value };
        if (event?.$case !== 'stdout' && event?.$case !== 'stderr') continue;
        const output = next(joined, event.$case, event.value);
        if (!output) continue;
        breaks.reset();
        yield output;
      }
    } catch (error) {
      broken = error;
    }
    await breaks.wait(broken);
  }
}

function connect({ connection, sandboxId, processId, offset, signal }: Joined): AsyncIterable<StartProcessResponse> {
  const request = { sandboxId, processId, stdoutOffset: offset.stdout, stderrOffset: offset.stderr };
  return connection.stream(CONNECT, request, { signal }, { repeatable: true });
}

/** What of a piece is new. */
function next(joined: Joined, stream: 'stdout' | 'stderr', { offset, content }: Output): OutputEvent | undefined {
  const bytes = content?.$case === 'text' ? toBytes(content.value) : (content?.value ?? new Uint8Array());
  const seen = joined.offset[stream];
  if (offset > seen && !(joined.any && seen === 0)) throw new OutputLostError(stream, offset - seen);
  const repeated = Math.max(0, seen - offset);
  if (repeated >= bytes.length) return undefined;
  const data = bytes.subarray(repeated);
  const text = repeated === 0 && content?.$case === 'text' ? content.value : toText(data);
  joined.offset[stream] = offset + bytes.length;
  return { type: stream, offset: offset + repeated, data, text };
}
