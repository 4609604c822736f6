import type { ErrorReason } from './generated/drydock/v1/error_reason.ts';

/** Why a call failed: a stable name of the API, such as `SANDBOX_NOT_FOUND`. A newer server may know more of them. */
export type Reason = Exclude<ErrorReason, 'ERROR_REASON_UNSPECIFIED' | 'UNRECOGNIZED'> | (string & {});

export type FieldViolation = { field: string; description: string };

export type ErrorDetails = {
  reason?: Reason;
  requestId?: string | undefined;
  retryAfterMs?: number | undefined;
  fieldViolations?: readonly FieldViolation[];
  metadata?: Readonly<Record<string, string>>;
  cause?: unknown;
};

/** What every call of this package fails with. A program that fails is a result, not an error, unless asked for (`check`). */
export class DrydockError extends Error {
  override name = 'DrydockError';
  readonly reason: Reason;
  /** Names the request in the logs of the platform; undefined where no answer came. */
  readonly requestId: string | undefined;
  /** Milliseconds after which trying again may help. */
  readonly retryAfterMs: number | undefined;
  /** What is wrong with which field of the request. */
  readonly fieldViolations: readonly FieldViolation[];
  /** More about the reason, such as `state` of SANDBOX_NOT_RUNNING. */
  readonly metadata: Readonly<Record<string, string>>;

  constructor(message: string, { reason = 'INTERNAL', cause, ...details }: ErrorDetails = {}) {
    super(message, { cause });
    this.reason = reason;
    this.requestId = details.requestId;
    this.retryAfterMs = details.retryAfterMs;
    this.fieldViolations = details.fieldViolations ?? [];
    this.metadata = details.metadata ?? {};
  }
}

/** There is no such thing in the caller's organisation. */
export class NotFoundError extends DrydockError {
  override name = 'NotFoundError';
}

/** The request cannot be right, now or later. */
export class InvalidArgumentError extends DrydockError {
  override name = 'InvalidArgumentError';
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { reason: 'INVALID_FIELD', ...details });
  }
}

/** There is no credential, or one that is unknown, expired or revoked. */
export class UnauthenticatedError extends DrydockError {
  override name = 'UnauthenticatedError';
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { reason: 'CREDENTIAL_INVALID', ...details });
  }
}

/** The credential, or the sandbox's user, may not do that. */
export class PermissionDeniedError extends DrydockError {
  override name = 'PermissionDeniedError';
}

/** The organisation, or a sandbox, has as much as it may, or makes too many calls. */
export class QuotaExceededError extends DrydockError {
  override name = 'QuotaExceededError';
}

/** The platform has no room right now. */
export class NoCapacityError extends DrydockError {
  override name = 'NoCapacityError';
}

/** What there is stands in the way: a path that exists, a request id with other content, a state. */
export class ConflictError extends DrydockError {
  override name = 'ConflictError';
}

/** The platform, or a part of it, cannot be reached. */
export class UnavailableError extends DrydockError {
  override name = 'UnavailableError';
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { reason: 'SERVICE_UNAVAILABLE', ...details });
  }
}

/** The connection broke under a call, or there was none. Whether the platform did what was asked is not known. */
export class ConnectionLostError extends UnavailableError {
  override name = 'ConnectionLostError';
}

/** The client was closed before the call, or under it; whether the platform did what was asked is then not known. */
export class ClientClosedError extends DrydockError {
  override name = 'ClientClosedError';
  constructor() {
    super('the client is closed: make calls before close(), or by a new Drydock()', { reason: 'CLIENT_CLOSED' });
  }
}

/** A `timeout` or a `requestTimeout` was over. */
export class TimeoutError extends DrydockError {
  override name = 'TimeoutError';
  constructor(message: string, details: ErrorDetails = {}) {
    super(message, { reason: 'DEADLINE_TOO_SHORT', ...details });
  }
}

/** The sandbox has stopped; `metadata.state` and `metadata.stop_reason` say more. */
export class SandboxNotRunningError extends DrydockError {
  override name = 'SandboxNotRunningError';
}

/** A stream was joined again too late: bytes that were written meanwhile are no longer kept. */
export class OutputLostError extends DrydockError {
  override name = 'OutputLostError';
  readonly stream: 'stdout' | 'stderr';
  readonly lostBytes: number;

  constructor(stream: 'stdout' | 'stderr', lostBytes: number) {
    super(`${lostBytes} bytes of ${stream} are lost: they were written while nobody read`, { reason: 'OUTPUT_LOST' });
    this.stream = stream;
    this.lostBytes = lostBytes;
  }
}
