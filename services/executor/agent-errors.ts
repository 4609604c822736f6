import { once } from 'node:events';
import { Status } from 'nice-grpc-common';
import { DrydockError, type Reason } from '#libs/errors.ts';

type Reasons = { readonly [code in Status]?: Reason };

export const FILE_REASONS: Reasons = {
  [Status.NOT_FOUND]: 'FILE_NOT_FOUND',
  [Status.PERMISSION_DENIED]: 'FILE_PERMISSION_DENIED',
  [Status.ALREADY_EXISTS]: 'FILE_EXISTS',
  [Status.FAILED_PRECONDITION]: 'FILE_WRONG_TYPE',
  [Status.RESOURCE_EXHAUSTED]: 'DISK_FULL',
  [Status.INVALID_ARGUMENT]: 'INVALID_FIELD',
};

export const START_REASONS: Reasons = {
  [Status.INVALID_ARGUMENT]: 'COMMAND_NOT_FOUND',
  [Status.RESOURCE_EXHAUSTED]: 'NO_CAPACITY',
};

export const PROCESS_REASONS: Reasons = {
  [Status.NOT_FOUND]: 'PROCESS_NOT_FOUND',
  [Status.FAILED_PRECONDITION]: 'PROCESS_ENDED',
};

const MAX_MESSAGE = 512;
const RETRY_AFTER_MS = 1_000;
// How long the backend's word on why a sandbox ended is waited for.
const ENDED_WAIT_MS = 2_000;

/**
 * What an agent's error means to the caller. A link that is gone mostly means that the sandbox is: its own program may
 * have seen to that.
 */
export async function fromAgent(error: unknown, reasons: Reasons, ended: AbortSignal): Promise<unknown> {
  if (ended.aborted) return ended.reason;
  if (!(error instanceof DrydockError)) return error;
  if (isSilence(error)) return (await endsSoon(ended)) ? ended.reason : noAnswer(error);
  const { code, details = '' } = statusOf(error);
  const reason = code === undefined ? undefined : reasons[code];
  if (!reason) return error;
  if (reason === 'PROCESS_ENDED' && /input|terminal/.test(details))
    return new DrydockError('PROCESS_INPUT_CLOSED', printable(details));
  if (reason === 'NO_CAPACITY')
    return new DrydockError(reason, 'the sandbox has as many processes as it may; end some');
  return new DrydockError(reason, printable(details));
}

/** Whether the agent did not answer at all: its connection broke, or its time was over. */
export function isSilence(error: unknown): error is DrydockError {
  if (!(error instanceof DrydockError)) return false;
  const { code, details = '' } = statusOf(error);
  if (code === Status.UNAVAILABLE || error.reason === 'DEADLINE_TOO_SHORT') return true;
  // What grpc-js makes of a stream whose connection drops under it.
  return (code === Status.INTERNAL || code === Status.CANCELLED) && /RST_STREAM|dropped|closed|cancel/i.test(details);
}

/** Whether the cell that was asked has ended by itself, as one may whose step ran out of memory. */
export function isCellGone(error: unknown): boolean {
  return hasStatus(error, Status.ABORTED);
}

/** Whether the agent answered with this code. */
export function hasStatus(error: unknown, code: Status): error is DrydockError {
  return error instanceof DrydockError && statusOf(error).code === code;
}

/** Whether the sandbox turns out to have ended: the news take a moment longer than the broken connection. */
export async function endsSoon(ended: AbortSignal): Promise<boolean> {
  if (!ended.aborted) {
    const limit = AbortSignal.timeout(ENDED_WAIT_MS);
    await once(ended, 'abort', { signal: limit }).catch(() => {});
  }
  return ended.aborted;
}

/** The sandbox is there, its agent does not answer. */
export function noAnswer(cause: unknown): DrydockError {
  const options = { cause, retryAfterMs: RETRY_AFTER_MS };
  return new DrydockError('SERVICE_UNAVAILABLE', 'the sandbox does not answer; try again', options);
}

function statusOf(error: DrydockError): { code?: Status; details?: string } {
  return (error.cause ?? {}) as { code?: Status; details?: string };
}

/** Words from a sandbox are not to be trusted with a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.slice(0, MAX_MESSAGE).replace(/[\x00-\x1f\x7f]/g, '?');
}
