import { Status } from 'nice-grpc-common';
import type { ErrorReason } from '#proto/drydock/v1/error_reason.ts';

/** Why a call failed, in words that are stable API: the values of `drydock.v1.ErrorReason`. */
export type Reason = Exclude<ErrorReason, 'ERROR_REASON_UNSPECIFIED'>;

/** A reason added to the proto does not compile until it has its status here. */
export const STATUS_OF: Readonly<Record<Reason, Status>> = {
  INVALID_FIELD: Status.INVALID_ARGUMENT,
  MALFORMED_REQUEST: Status.INVALID_ARGUMENT,
  REQUEST_TOO_LARGE: Status.RESOURCE_EXHAUSTED,
  REQUEST_ID_REUSED: Status.ALREADY_EXISTS,
  DEADLINE_TOO_SHORT: Status.DEADLINE_EXCEEDED,
  CREDENTIAL_INVALID: Status.UNAUTHENTICATED,
  SCOPE_MISSING: Status.PERMISSION_DENIED,
  CALLER_FORBIDDEN: Status.PERMISSION_DENIED,
  RATE_LIMITED: Status.RESOURCE_EXHAUSTED,
  SANDBOX_NOT_FOUND: Status.NOT_FOUND,
  PROCESS_NOT_FOUND: Status.NOT_FOUND,
  FILE_NOT_FOUND: Status.NOT_FOUND,
  EXECUTION_NOT_FOUND: Status.NOT_FOUND,
  TEMPLATE_NOT_FOUND: Status.NOT_FOUND,
  ORGANIZATION_NOT_FOUND: Status.NOT_FOUND,
  API_KEY_NOT_FOUND: Status.NOT_FOUND,
  ROUTE_NOT_FOUND: Status.NOT_FOUND,
  WEBHOOK_NOT_FOUND: Status.NOT_FOUND,
  DELIVERY_NOT_FOUND: Status.NOT_FOUND,
  BLOB_NOT_FOUND: Status.NOT_FOUND,
  TEST_SET_NOT_FOUND: Status.NOT_FOUND,
  LANGUAGE_NOT_FOUND: Status.INVALID_ARGUMENT,
  SANDBOX_NOT_RUNNING: Status.FAILED_PRECONDITION,
  PROCESS_ENDED: Status.FAILED_PRECONDITION,
  PROCESS_INPUT_CLOSED: Status.FAILED_PRECONDITION,
  FILE_WRONG_TYPE: Status.FAILED_PRECONDITION,
  FILE_PERMISSION_DENIED: Status.PERMISSION_DENIED,
  DISK_FULL: Status.RESOURCE_EXHAUSTED,
  FILE_EXISTS: Status.ALREADY_EXISTS,
  COMMAND_NOT_FOUND: Status.INVALID_ARGUMENT,
  SANDBOX_STOPPED: Status.ABORTED,
  TOO_MANY_STREAMS: Status.RESOURCE_EXHAUSTED,
  BLOB_HASH_MISMATCH: Status.INVALID_ARGUMENT,
  PACKAGE_INVALID: Status.INVALID_ARGUMENT,
  PACKAGE_UNSUPPORTED: Status.INVALID_ARGUMENT,
  EXECUTION_NOT_FINISHED: Status.FAILED_PRECONDITION,
  QUOTA_EXCEEDED: Status.RESOURCE_EXHAUSTED,
  NO_CAPACITY: Status.RESOURCE_EXHAUSTED,
  QUEUE_FULL: Status.RESOURCE_EXHAUSTED,
  SERVICE_UNAVAILABLE: Status.UNAVAILABLE,
  SANDBOX_START_FAILED: Status.UNAVAILABLE,
  NOT_IMPLEMENTED: Status.UNIMPLEMENTED,
  INTERNAL: Status.INTERNAL,
};

export type FieldViolation = { field: string; description: string };

export type ErrorDetails = {
  /** When trying again may help: `RetryInfo`. */
  retryAfterMs?: number;
  /** `BadRequest.field_violations`. */
  fields?: FieldViolation[];
  /** `QuotaFailure.violations`. */
  quota?: { subject: string; description: string }[];
  /** `ErrorInfo.metadata`. */
  metadata?: Record<string, string>;
  cause?: unknown;
};

/** The one error that crosses service boundaries. Its message is for the caller and says what to do. */
export class DrydockError extends Error {
  override name = 'DrydockError';
  readonly reason: Reason;
  readonly details: Omit<ErrorDetails, 'cause'>;

  constructor(reason: Reason, message: string, { cause, ...details }: ErrorDetails = {}) {
    super(message, { cause });
    this.reason = reason;
    this.details = details;
  }
}

/** INVALID_FIELD for one field. */
export function invalidField(field: string, description: string): DrydockError {
  return invalidFields([{ field, description }]);
}

/** INVALID_FIELD for every field that is wrong. */
export function invalidFields(fields: FieldViolation[]): DrydockError {
  return new DrydockError('INVALID_FIELD', fields.map((v) => `${v.field}: ${v.description}`).join('; '), { fields });
}

/** Whether an error is the given reason. */
export function hasReason(error: unknown, ...reasons: Reason[]): error is DrydockError {
  return error instanceof DrydockError && reasons.includes(error.reason);
}
