import { type Metadata, type ServiceError, status } from '@grpc/grpc-js';
import { toMs } from './durations.ts';
import {
  ConflictError,
  ConnectionLostError,
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
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';

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
const CLASS_OF_CODE: { [code in status]?: ErrorClass } = {
  [status.INVALID_ARGUMENT]: InvalidArgumentError,
  [status.OUT_OF_RANGE]: InvalidArgumentError,
  [status.DEADLINE_EXCEEDED]: TimeoutError,
  [status.NOT_FOUND]: NotFoundError,
  [status.ALREADY_EXISTS]: ConflictError,
  [status.FAILED_PRECONDITION]: ConflictError,
  [status.ABORTED]: ConflictError,
  [status.PERMISSION_DENIED]: PermissionDeniedError,
  [status.UNAUTHENTICATED]: UnauthenticatedError,
  [status.RESOURCE_EXHAUSTED]: QuotaExceededError,
  [status.UNAVAILABLE]: UnavailableError,
};

/** Codes that grpc-js itself gives to calls whose connection broke. */
const BROKEN: ReadonlySet<status> = new Set([status.UNAVAILABLE, status.INTERNAL, status.CANCELLED]);

/** The class of errors with this reason. */
export function classOf(reason: Reason, otherwise: ErrorClass = DrydockError): ErrorClass {
  return Object.hasOwn(CLASS_OF_REASON, reason) ? CLASS_OF_REASON[reason as keyof typeof CLASS_OF_REASON] : otherwise;
}

/** The error of a call, from its status and the header that came before it. */
export function toError(raw: ServiceError, requestId: string | undefined, url: string): DrydockError {
  const { code, metadata, details: message } = raw;
  const { reason, ...details } = readDetails(metadata);
  const id = requestId ?? idIn(metadata);
  const classOfCode = CLASS_OF_CODE[code] ?? DrydockError;
  if (reason) return new (classOf(reason, classOfCode))(message, { ...details, reason, requestId: id });
  const own = { requestId: id, cause: raw };
  if (code === status.DEADLINE_EXCEEDED) return new TimeoutError('no answer within requestTimeout', own);
  if (BROKEN.has(code)) return new ConnectionLostError(`${url} cannot be reached: ${message}`, own);
  return new classOfCode(`${url} does not answer as Drydock does: ${message}`, own);
}

export function idIn(metadata: Metadata | undefined): string | undefined {
  return metadata?.get('x-request-id')[0]?.toString();
}

function readDetails(metadata: Metadata | undefined): ErrorDetails {
  const [bytes] = metadata?.get('grpc-status-details-bin') ?? [];
  if (!(bytes instanceof Buffer)) return {};
  const details: ErrorDetails = {};
  for (const { typeUrl, value } of Status.decode(bytes).details) {
    const type = typeUrl.split('.').at(-1);
    if (type === 'ErrorInfo') {
      const { reason, metadata } = ErrorInfo.decode(value);
      Object.assign(details, { reason, metadata });
    }
    if (type === 'RetryInfo') details.retryAfterMs = toMs(RetryInfo.decode(value).retryDelay);
    if (type === 'BadRequest')
      details.fieldViolations = BadRequest.decode(value).fieldViolations.map(({ field, description }) => ({
        field,
        description,
      }));
  }
  return details;
}
