import { once } from 'node:events';
import { Status } from 'nice-grpc-common';
import { ErrorInfo, RichClientError } from 'nice-grpc-error-details';
import { DrydockError, type Reason } from '#libs/errors.ts';
import { firstCharacters } from '#libs/first-characters.ts';
import { ERROR_DOMAIN } from '#libs/grpc/status.ts';
import type { Reason as AgentReason } from '#proto/drydock/agent/v1/agent.ts';

/** The public reason for each of an agent's. INTERNAL: the platform asked for something it must not ask for. */
const PUBLIC: Readonly<Record<AgentReason, Reason>> = {
  REASON_UNSPECIFIED: 'INTERNAL',
  INVALID_REQUEST: 'INTERNAL',
  INTERNAL: 'INTERNAL',
  SANDBOX_BOUND: 'INTERNAL',
  SANDBOX_FOR_CELLS: 'INTERNAL',
  NOTHING_KEPT: 'INTERNAL',
  COMMAND_NOT_FOUND: 'COMMAND_NOT_FOUND',
  PROCESS_LIMIT_REACHED: 'NO_CAPACITY',
  PROCESS_NOT_FOUND: 'PROCESS_NOT_FOUND',
  PROCESS_ENDED: 'PROCESS_ENDED',
  PROCESS_INPUT_CLOSED: 'PROCESS_INPUT_CLOSED',
  CELLS_UNSUPPORTED: 'NOT_IMPLEMENTED',
  CELL_UNAVAILABLE: 'SANDBOX_START_FAILED',
  CELL_ENDED: 'INTERNAL',
  FILE_NOT_FOUND: 'FILE_NOT_FOUND',
  FILE_PERMISSION_DENIED: 'FILE_PERMISSION_DENIED',
  FILE_EXISTS: 'FILE_EXISTS',
  FILE_WRONG_TYPE: 'FILE_WRONG_TYPE',
  DISK_FULL: 'DISK_FULL',
  PATH_INVALID: 'INVALID_FIELD',
  UPLOAD_INCOMPLETE: 'MALFORMED_REQUEST',
  WATCH_LIMIT_REACHED: 'TOO_MANY_STREAMS',
  PORT_NOT_LISTENING: 'SERVICE_UNAVAILABLE',
};

const MAX_MESSAGE = 512;
const RETRY_AFTER_MS = 1_000;
// How long to wait for the backend's report of why a sandbox ended.
const ENDED_WAIT_MS = 2_000;
const SILENT: ReadonlySet<Status | undefined> = new Set([Status.UNAVAILABLE, Status.INTERNAL, Status.CANCELLED]);

/** A failed call to an agent, with the public reason and a message fit for the caller. */
export class AgentError extends DrydockError {
  /** The agent's own reason. Undefined if the connection failed, and the agent did not answer. */
  readonly agentReason: AgentReason | undefined;

  constructor(error: DrydockError) {
    const agentReason = reasonIn(error.cause);
    const reason = agentReason ? PUBLIC[agentReason] : error.reason;
    super(reason, agentReason ? messageOf(reason, error.cause) : error.message, { cause: error.cause ?? error });
    this.agentReason = agentReason;
  }
}

/**
 * Translates a call's error for the caller. A broken link mostly means that the sandbox has ended: its own program may have
 * ended it.
 */
export async function fromAgent(error: unknown, ended: AbortSignal): Promise<unknown> {
  if (ended.aborted) return ended.reason;
  if (!isSilence(error)) return error;
  return (await endsSoon(ended)) ? ended.reason : noAnswer(error);
}

/** Whether the agent did not answer at all: its connection broke, or the deadline passed. */
export function isSilence(error: unknown): error is DrydockError {
  if (!(error instanceof AgentError) || error.agentReason) return false;
  return error.reason === 'DEADLINE_TOO_SHORT' || SILENT.has(codeOf(error.cause));
}

/** Whether the cell has ended by itself, for example because its step ran out of memory. */
export function hasCellEnded(error: unknown): boolean {
  return error instanceof AgentError && error.agentReason === 'CELL_ENDED';
}

/** Waits up to 2 s for the report that the sandbox has ended, which follows a broken connection; false if none arrives. */
export async function endsSoon(ended: AbortSignal): Promise<boolean> {
  if (!ended.aborted) {
    const limit = AbortSignal.timeout(ENDED_WAIT_MS);
    await once(ended, 'abort', { signal: limit }).catch(() => {});
  }
  return ended.aborted;
}

/** The error if the sandbox runs but its agent does not answer. */
export function noAnswer(cause: unknown): DrydockError {
  const options = { cause, retryAfterMs: RETRY_AFTER_MS };
  return new DrydockError('SERVICE_UNAVAILABLE', 'the sandbox does not answer; try again', options);
}

/** The typed reason of an agent's error. A program that impersonates the agent cannot give any other reason than these. */
function reasonIn(cause: unknown): AgentReason | undefined {
  if (!(cause instanceof RichClientError)) return undefined;
  for (const detail of cause.extra) {
    if (detail.$type !== ErrorInfo.$type) continue;
    const { domain, reason } = detail as ErrorInfo;
    return domain === ERROR_DOMAIN && Object.hasOwn(PUBLIC, reason) ? (reason as AgentReason) : 'INTERNAL';
  }
  return undefined;
}

function codeOf(cause: unknown): Status | undefined {
  return (cause as { code?: Status } | undefined)?.code;
}

/** The agent's text without control characters, which a terminal would obey. */
function messageOf(reason: Reason, cause: unknown): string {
  if (reason === 'INTERNAL') return 'internal error';
  const { details = '' } = cause as { details?: string };
  // biome-ignore lint/suspicious/noControlCharactersInRegex: removes them
  return firstCharacters(details, MAX_MESSAGE).replace(/[\x00-\x1f\x7f]/g, '?');
}
