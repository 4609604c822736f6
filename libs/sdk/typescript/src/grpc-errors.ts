import type { Metadata, ServiceError } from '@grpc/grpc-js';
import { toMs } from './durations.ts';
import { ConnectionLostError, type DrydockError, type ErrorDetails } from './errors.ts';
import { BadRequest, ErrorInfo, RetryInfo } from './generated/google/rpc/error_details.ts';
import { Status } from './generated/google/rpc/status.ts';
import { CODE, toError } from './status.ts';

/** Codes that grpc-js itself gives to calls whose connection broke. */
const BROKEN: ReadonlySet<number> = new Set([CODE.UNAVAILABLE, CODE.INTERNAL, CODE.CANCELLED]);

/** The error of a call, from its status and the header that came before it. */
export function fromGrpc(raw: ServiceError, requestId: string | undefined, url: string): DrydockError {
  const { code, metadata, details: message } = raw;
  const details = { ...readDetails(metadata), requestId: requestId ?? idIn(metadata) };
  if (details.reason) return toError({ code, message, details, url });
  const own = { ...details, cause: raw };
  if (BROKEN.has(code)) return new ConnectionLostError(`${url} cannot be reached: ${message}`, own);
  return toError({ code, message, details: own, url });
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
