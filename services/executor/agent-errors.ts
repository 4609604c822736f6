import { Status } from 'nice-grpc-common';
import { DrydockError, type Reason } from '#libs/errors.ts';

export const FILE_REASONS: { [code in Status]?: Reason } = {
  [Status.NOT_FOUND]: 'FILE_NOT_FOUND',
  [Status.PERMISSION_DENIED]: 'FILE_PERMISSION_DENIED',
  [Status.ALREADY_EXISTS]: 'FILE_EXISTS',
  [Status.FAILED_PRECONDITION]: 'FILE_WRONG_TYPE',
  [Status.RESOURCE_EXHAUSTED]: 'DISK_FULL',
  [Status.INVALID_ARGUMENT]: 'INVALID_FIELD',
};

export const START_REASONS: { [code in Status]?: Reason } = {
  [Status.INVALID_ARGUMENT]: 'COMMAND_NOT_FOUND',
  [Status.RESOURCE_EXHAUSTED]: 'NO_CAPACITY',
};

export const PROCESS_REASONS: { [code in Status]?: Reason } = {
  [Status.NOT_FOUND]: 'PROCESS_NOT_FOUND',
  [Status.FAILED_PRECONDITION]: 'PROCESS_ENDED',
};

const MAX_MESSAGE = 512;

/** What an agent's error means to the caller. A link that is gone means that the sandbox is: its own program may have seen to that. */
export function fromAgent(error: unknown, reasons: { [code in Status]?: Reason }, ended: AbortSignal): unknown {
  if (ended.aborted) return ended.reason;
  if (!(error instanceof DrydockError)) return error;
  const { code, details = '' } = (error.cause ?? {}) as { code?: Status; details?: string };
  if (code === Status.UNAVAILABLE) return new DrydockError('SANDBOX_STOPPED', 'the sandbox stopped', { cause: error });
  const reason = code === undefined ? undefined : reasons[code];
  if (!reason) return error;
  if (reason === 'PROCESS_ENDED' && /input/.test(details)) return new DrydockError('PROCESS_INPUT_CLOSED', printable(details));
  if (reason === 'PROCESS_ENDED' && /terminal/.test(details)) return new DrydockError('PROCESS_INPUT_CLOSED', printable(details));
  if (reason === 'NO_CAPACITY') return new DrydockError(reason, 'the sandbox has as many processes as it may; end some');
  return new DrydockError(reason, printable(details));
}

/** Words from a sandbox are not to be trusted with a terminal. */
function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is removed
  return text.slice(0, MAX_MESSAGE).replace(/[\x00-\x1f\x7f]/g, '?');
}

