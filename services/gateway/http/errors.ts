import { STATUS_CODES } from 'node:http';
import type { FastifyError } from 'fastify';
import { Status } from 'nice-grpc-common';
import { DrydockError, type Reason, STATUS_OF } from '#libs/errors.ts';
import { REQUEST_ID_HEADER } from '#libs/grpc/rpc.ts';
import { ERROR_DOMAIN } from '#libs/grpc/status.ts';
import { RouteNotFound } from './router.ts';

/** As googleapis' `google/rpc/code.proto` maps codes. */
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

/** Where HTTP has a status that says more than the code's. */
const STATUS_OF_REASON: { [reason in Reason]?: number } = { REQUEST_TOO_LARGE: 413 };

export type StatusJson = { code: number; message: string; details: ({ '@type': string } & Record<string, unknown>)[] };

/** `google.rpc.Status` in the proto3 JSON mapping. */
export function statusJson({ reason, message, details }: DrydockError): StatusJson {
  const { retryAfterMs, fields, quota, metadata = {} } = details;
  const detail = (type: string, content: Record<string, unknown>) => ({
    '@type': `type.googleapis.com/google.rpc.${type}`,
    ...content,
  });
  return {
    code: STATUS_OF[reason],
    message,
    details: [
      detail('ErrorInfo', { reason, domain: ERROR_DOMAIN, metadata }),
      ...(retryAfterMs === undefined ? [] : [detail('RetryInfo', { retryDelay: `${retryAfterMs / 1000}s` })]),
      ...(fields ? [detail('BadRequest', { fieldViolations: fields })] : []),
      ...(quota ? [detail('QuotaFailure', { violations: quota })] : []),
    ],
  };
}

export type HttpError = { status: number; headers: Record<string, string>; body: StatusJson };

/** An error as HTTP tells it. */
export function httpError(error: DrydockError): HttpError {
  const { reason, details } = error;
  const headers: Record<string, string> = {};
  if (details.retryAfterMs !== undefined) headers['retry-after'] = String(Math.ceil(details.retryAfterMs / 1000));
  if (reason === 'CREDENTIAL_INVALID') headers['www-authenticate'] = 'Bearer realm="drydock"';
  const otherMethods = error instanceof RouteNotFound && error.allow.length > 0;
  if (otherMethods) headers.allow = error.allow.join(', ');
  const status = otherMethods ? 405 : (STATUS_OF_REASON[reason] ?? HTTP_STATUS[STATUS_OF[reason]]);
  return { status, headers, body: statusJson(error) };
}

/** What fastify itself refuses is the client's mistake; anything else that is not typed is ours, and says nothing of the inside. */
export function toDrydockError(error: unknown): DrydockError {
  if (error instanceof DrydockError) return error;
  const { statusCode = 500, message } = error as Partial<FastifyError>;
  if (statusCode >= 400 && statusCode < 500)
    return new DrydockError('MALFORMED_REQUEST', message ?? 'malformed request');
  return new DrydockError('INTERNAL', 'internal error', { cause: error });
}

/** The whole answer to a request that Node's parser refused, which never became a request. */
export function rawAnswer(code: string | undefined, requestId: string): string {
  const [status, error] =
    code === 'HPE_HEADER_OVERFLOW'
      ? ([431, new DrydockError('REQUEST_TOO_LARGE', 'the headers are larger than the service accepts')] as const)
      : code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ([408, new DrydockError('MALFORMED_REQUEST', 'the request did not arrive in time')] as const)
        : ([400, new DrydockError('MALFORMED_REQUEST', 'the request is not HTTP')] as const);
  const body = JSON.stringify(statusJson(error));
  return (
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\ncontent-type: application/json\r\n${REQUEST_ID_HEADER}: ${requestId}\r\n` +
    `content-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`
  );
}
