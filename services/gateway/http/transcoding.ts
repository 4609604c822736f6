import type { DescMessage, JsonValue } from '@bufbuild/protobuf';
import { Piscina } from 'piscina';
import { DrydockError, type ErrorDetails, type Reason } from '#libs/errors.ts';
import { messageFromJson, messageToJson } from './json-message.ts';

/** A larger message is transcoded on another thread: a MiB of JSON keeps a thread busy for 20 ms, and every caller waits for ours. */
const INLINE_BYTES = 32 * 1024;
const MAX_WAITING = 64;
const IDLE_MS = 30_000;
/** Of the thread's heap. A body that needs more ends the thread, and not the gateway. */
const MAX_HEAP_MIB = 192;
const RETRY_AFTER_MS = 1_000;

export type Task =
  | { kind: 'decode'; type: string; body: Uint8Array; bodyField: string; given: JsonValue[] }
  | { kind: 'encode'; type: string; message: Uint8Array; only: string };

/** The bytes, or why they are refused. */
export type Outcome = Uint8Array | { reason: Reason; message: string; details: ErrorDetails };

export type Transcoder = {
  /**
   * The bytes of a message from its JSON: a body, which is one field of it or, with an empty name, all of it, and parts that
   * go over the body. Errors: MALFORMED_REQUEST, REQUEST_TOO_LARGE, SERVICE_UNAVAILABLE.
   */
  decode(descriptor: DescMessage, body: Uint8Array, bodyField: string, given: JsonValue[]): Promise<Uint8Array>;
  /** A line with the JSON of a message or, with a name, of one field of it. Errors: SERVICE_UNAVAILABLE. */
  encode(descriptor: DescMessage, message: Uint8Array, only: string): Promise<Uint8Array>;
};

/** Transcodes between JSON and messages, large ones on a thread that starts when it is needed. */
export function createTranscoder(descriptorsFile: string): Transcoder & AsyncDisposable {
  const pool = new Piscina<Task, Outcome>({
    filename: new URL('./transcoding.worker.ts', import.meta.url).href,
    workerData: { descriptorsFile },
    minThreads: 0,
    maxThreads: 1,
    maxQueue: MAX_WAITING,
    idleTimeout: IDLE_MS,
    resourceLimits: { maxOldGenerationSizeMb: MAX_HEAP_MIB },
  });
  const run = async (task: Task, input: Uint8Array): Promise<Uint8Array> => {
    const transferList = isWhole(input) ? [input.buffer as ArrayBuffer] : [];
    // Piscina takes the type of its list from a signature that Node's types have since changed.
    const outcome = await pool.run(task, { name: 'transcode', transferList: transferList as never }).catch((error) => {
      throw explain(error);
    });
    if (outcome instanceof Uint8Array) return outcome;
    const { reason, message, details } = outcome;
    throw new DrydockError(reason, message, details);
  };
  return {
    async decode(descriptor, body, bodyField, given) {
      if (body.length <= INLINE_BYTES) return messageFromJson(descriptor, body, bodyField, given);
      return run({ kind: 'decode', type: descriptor.typeName, body, bodyField, given }, body);
    },
    async encode(descriptor, message, only) {
      if (message.length <= INLINE_BYTES) return messageToJson(descriptor, message, only);
      return run({ kind: 'encode', type: descriptor.typeName, message, only }, message);
    },
    [Symbol.asyncDispose]: () => pool.destroy(),
  };
}

/** Whether nothing else lies in the same memory, which goes to the other thread as it is. */
function isWhole({ buffer, length }: Uint8Array): boolean {
  return buffer.byteLength === length;
}

function explain(error: unknown): unknown {
  if ((error as NodeJS.ErrnoException).code === 'ERR_WORKER_OUT_OF_MEMORY')
    return new DrydockError('REQUEST_TOO_LARGE', 'the body needs more memory than the gateway has for one');
  if (error instanceof Error && /queue is at limit/.test(error.message))
    return new DrydockError('SERVICE_UNAVAILABLE', 'too many large bodies are being read; try again', {
      retryAfterMs: RETRY_AFTER_MS,
    });
  return error;
}
