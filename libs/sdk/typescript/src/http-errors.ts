import { ConnectionLostError, type DrydockError, type ErrorDetails, type FieldViolation } from './errors.ts';
import { CODE, toError } from './status.ts';

/** `google.rpc.Status` in JSON. */
export type StatusJson = { code: number; message: string; details?: Detail[] };

type Detail = {
  '@type': string;
  reason?: string;
  metadata?: Record<string, string>;
  retryDelay?: string;
  fieldViolations?: FieldViolation[];
};

/** Of answers that are not the platform's own, such as a proxy's. */
const CODE_OF_STATUS: Record<number, number> = {
  400: CODE.INVALID_ARGUMENT,
  401: CODE.UNAUTHENTICATED,
  403: CODE.PERMISSION_DENIED,
  404: CODE.NOT_FOUND,
  429: CODE.RESOURCE_EXHAUSTED,
  502: CODE.UNAVAILABLE,
  503: CODE.UNAVAILABLE,
  504: CODE.UNAVAILABLE,
};

/** The error of an answer that is no success. */
export function fromHttp({ status, headers }: Response, body: string, url: string): DrydockError {
  const requestId = headers.get('x-request-id') ?? undefined;
  const json = parse(body);
  if (json) return fromStatus(json, requestId, url);
  const code = CODE_OF_STATUS[status] ?? CODE.INTERNAL;
  if (code === CODE.UNAVAILABLE)
    return new ConnectionLostError(`${url} cannot be reached: HTTP ${status}`, { requestId });
  return toError({ code, message: `HTTP ${status}`, details: { requestId }, url });
}

export function fromStatus({ code, message, details = [] }: StatusJson, requestId: string | undefined, url: string) {
  const known: ErrorDetails = { requestId };
  for (const { '@type': type, reason, metadata = {}, retryDelay, fieldViolations = [] } of details) {
    if (type.endsWith('.ErrorInfo') && reason) Object.assign(known, { reason, metadata });
    if (type.endsWith('.RetryInfo') && retryDelay) known.retryAfterMs = 1_000 * Number.parseFloat(retryDelay);
    if (type.endsWith('.BadRequest')) known.fieldViolations = fieldViolations;
  }
  return toError({ code, message, details: known, url });
}

function parse(body: string): StatusJson | undefined {
  try {
    const json = JSON.parse(body);
    return typeof json?.code === 'number' && typeof json.message === 'string' ? json : undefined;
  } catch {
    return undefined;
  }
}
