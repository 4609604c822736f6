import {
  ConflictError,
  DrydockError,
  type ErrorDetails,
  InvalidArgumentError,
  NoCapacityError,
  NotFoundError,
  PermissionDeniedError,
  QuotaExceededError,
  type Reason,
  SandboxNotRunningError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.ts';
import type { ErrorReason } from './generated/drydock/v1/error_reason.ts';

/** Codes of gRPC, which answers over HTTP bear too. */
export const CODE = {
  CANCELLED: 1,
  INVALID_ARGUMENT: 3,
  DEADLINE_EXCEEDED: 4,
  NOT_FOUND: 5,
  ALREADY_EXISTS: 6,
  PERMISSION_DENIED: 7,
  RESOURCE_EXHAUSTED: 8,
  FAILED_PRECONDITION: 9,
  ABORTED: 10,
  OUT_OF_RANGE: 11,
  INTERNAL: 13,
  UNAVAILABLE: 14,
  UNAUTHENTICATED: 16,
} as const;

type ErrorClass = new (message: string, details: ErrorDetails) => DrydockError;

/** Of each reason of the API; a reason that is added does not compile until it has its class here. */
const CLASS_OF_REASON: Record<Exclude<ErrorReason, 'ERROR_REASON_UNSPECIFIED' | 'UNRECOGNIZED'>, ErrorClass> = {
  INVALID_FIELD: InvalidArgumentError,
  MALFORMED_REQUEST: InvalidArgumentError,
  REQUEST_TOO_LARGE: InvalidArgumentError,
  REQUEST_ID_REUSED: ConflictError,
  DEADLINE_TOO_SHORT: TimeoutError,
  CREDENTIAL_INVALID: UnauthenticatedError,
  SCOPE_MISSING: PermissionDeniedError,
  CALLER_FORBIDDEN: PermissionDeniedError,
  RATE_LIMITED: QuotaExceededError,
  SANDBOX_NOT_FOUND: NotFoundError,
  PROCESS_NOT_FOUND: NotFoundError,
  FILE_NOT_FOUND: NotFoundError,
  EXECUTION_NOT_FOUND: NotFoundError,
  TEMPLATE_NOT_FOUND: NotFoundError,
  ORGANIZATION_NOT_FOUND: NotFoundError,
  API_KEY_NOT_FOUND: NotFoundError,
  ROUTE_NOT_FOUND: NotFoundError,
  LANGUAGE_NOT_FOUND: InvalidArgumentError,
  WEBHOOK_NOT_FOUND: NotFoundError,
  DELIVERY_NOT_FOUND: NotFoundError,
  BLOB_NOT_FOUND: NotFoundError,
  TEST_SET_NOT_FOUND: NotFoundError,
  SANDBOX_NOT_RUNNING: SandboxNotRunningError,
  PROCESS_ENDED: ConflictError,
  PROCESS_INPUT_CLOSED: ConflictError,
  FILE_WRONG_TYPE: ConflictError,
  FILE_PERMISSION_DENIED: PermissionDeniedError,
  DISK_FULL: QuotaExceededError,
  FILE_EXISTS: ConflictError,
  COMMAND_NOT_FOUND: InvalidArgumentError,
  SANDBOX_STOPPED: SandboxNotRunningError,
  EXECUTION_NOT_FINISHED: ConflictError,
  TOO_MANY_STREAMS: QuotaExceededError,
  BLOB_HASH_MISMATCH: InvalidArgumentError,
  PACKAGE_INVALID: InvalidArgumentError,
  PACKAGE_UNSUPPORTED: InvalidArgumentError,
  QUOTA_EXCEEDED: QuotaExceededError,
  NO_CAPACITY: NoCapacityError,
  SERVICE_UNAVAILABLE: UnavailableError,
  SANDBOX_START_FAILED: UnavailableError,
  QUEUE_FULL: QuotaExceededError,
  NOT_IMPLEMENTED: DrydockError,
  INTERNAL: DrydockError,
};

/** For what has no reason, or one that a newer server has added. */
const CLASS_OF_CODE: { [code: number]: ErrorClass } = {
  [CODE.INVALID_ARGUMENT]: InvalidArgumentError,
  [CODE.OUT_OF_RANGE]: InvalidArgumentError,
  [CODE.DEADLINE_EXCEEDED]: TimeoutError,
  [CODE.NOT_FOUND]: NotFoundError,
  [CODE.ALREADY_EXISTS]: ConflictError,
  [CODE.FAILED_PRECONDITION]: ConflictError,
  [CODE.ABORTED]: ConflictError,
  [CODE.PERMISSION_DENIED]: PermissionDeniedError,
  [CODE.UNAUTHENTICATED]: UnauthenticatedError,
  [CODE.RESOURCE_EXHAUSTED]: QuotaExceededError,
  [CODE.UNAVAILABLE]: UnavailableError,
};

/** The class of errors with this reason. */
export function classOf(reason: Reason, otherwise: ErrorClass = DrydockError): ErrorClass {
  return Object.hasOwn(CLASS_OF_REASON, reason) ? CLASS_OF_REASON[reason as keyof typeof CLASS_OF_REASON] : otherwise;
}

/** What a call failed with. `details` has a reason where the platform itself says so. */
export type Failure = { code: number; message: string; details: ErrorDetails; url: string };

/** The error of a call. */
export function toError({ code, message, details, url }: Failure): DrydockError {
  const classOfCode = CLASS_OF_CODE[code] ?? DrydockError;
  if (details.reason) return new (classOf(details.reason, classOfCode))(message, details);
  if (code === CODE.DEADLINE_EXCEEDED) return new TimeoutError('no answer within requestTimeout', details);
  return new classOfCode(`${url} does not answer as Drydock does: ${message}`, details);
}
