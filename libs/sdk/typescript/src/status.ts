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
  SandboxNotRunningError,
  TimeoutError,
  UnauthenticatedError,
  UnavailableError,
} from './errors.ts';
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';

type ErrorClass = new (message: string, details: ErrorDetails) => DrydockError;

/** Reasons whose class says more than that of their code. */
const CLASS_OF_REASON: Record<string, ErrorClass> = {
  NO_CAPACITY: NoCapacityError,
  REQUEST_TOO_LARGE: InvalidArgumentError,
  SANDBOX_NOT_RUNNING: SandboxNotRunningError,
  SANDBOX_STOPPED: SandboxNotRunningError,
};

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

/** The error of a call, from its status and the header that came before it. */
export function toError(raw: ServiceError, requestId: string | undefined, url: string): DrydockError {
  const { code, metadata, details: message } = raw;
  const { reason, ...details } = readDetails(metadata);
  const id = requestId ?? idIn(metadata);
  const errorClass = (reason && CLASS_OF_REASON[reason]) || CLASS_OF_CODE[code] || DrydockError;
  if (reason) return new errorClass(message, { ...details, reason, requestId: id });
  const own = { requestId: id, cause: raw };
  if (code === status.DEADLINE_EXCEEDED) return new TimeoutError('no answer within requestTimeout', own);
  if (BROKEN.has(code)) return new ConnectionLostError(`${url} cannot be reached: ${message}`, own);
  return new errorClass(`${url} does not answer as Drydock does: ${message}`, own);
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
