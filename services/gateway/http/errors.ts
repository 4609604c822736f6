import { Status } from 'nice-grpc-common';
import { DrydockError, STATUS_OF } from '#libs/errors.ts';
import { ERROR_DOMAIN } from '#libs/grpc/status.ts';

// The mapping of google.rpc.Code.
const HTTP_STATUS: Readonly<Record<Status, number>> = {
  [Status.OK]: 200,
  [Status.CANCELLED]: 499,
  [Status.UNKNOWN]: 500,
  [Status.INVALID_ARGUMENT]: 400,
  [Status.DEADLINE_EXCEEDED]: 504,
  [Status.NOT_FOUND]: 404,
  [Status.ALREADY_EXISTS]: 409,
  [Status.PERMISSION_DENIED]: 403,
  [Status.RESOURCE_EXHAUSTED]: 429,
  [Status.FAILED_PRECONDITION]: 400,
  [Status.ABORTED]: 409,
  [Status.OUT_OF_RANGE]: 400,
  [Status.UNIMPLEMENTED]: 501,
  [Status.INTERNAL]: 500,
  [Status.UNAVAILABLE]: 503,
  [Status.DATA_LOSS]: 500,
  [Status.UNAUTHENTICATED]: 401,
};

export type StatusBody = { code: number; message: string; details: Record<string, unknown>[] };

/** An error as `google.rpc.Status` in JSON, with its HTTP status and headers. */
export function toHttpError(error: DrydockError): { status: number; headers: Record<string, string>; body: StatusBody } {
  const code = STATUS_OF[error.reason];
  const { retryAfterMs } = error.details;
  return {
    status: error.reason === 'REQUEST_TOO_LARGE' ? 413 : HTTP_STATUS[code],
    headers: {
      ...(retryAfterMs === undefined ? {} : { 'retry-after': String(Math.ceil(retryAfterMs / 1000)) }),
      ...(code === Status.UNAUTHENTICATED ? { 'www-authenticate': 'Bearer' } : {}),
    },
    body: { code, message: error.message, details: detailsOf(error) },
  };
}

function detailsOf({ reason, details }: DrydockError): Record<string, unknown>[] {
  const { retryAfterMs, fields, quota, metadata = {} } = details;
  const typed = (name: string, content: object) => ({ '@type': `type.googleapis.com/google.rpc.${name}`, ...content });
  return [
    typed('ErrorInfo', { reason, domain: ERROR_DOMAIN, metadata }),
    ...(retryAfterMs === undefined ? [] : [typed('RetryInfo', { retryDelay: `${retryAfterMs / 1000}s` })]),
    ...(fields ? [typed('BadRequest', { fieldViolations: fields })] : []),
    ...(quota ? [typed('QuotaFailure', { violations: quota })] : []),
  ];
}

/** Any error as one that may be told: what is not typed says nothing of itself. */
export function toDrydockError(error: unknown): DrydockError {
  return error instanceof DrydockError ? error : new DrydockError('INTERNAL', 'internal error', { cause: error });
}
