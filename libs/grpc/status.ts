import { Metadata } from '@grpc/grpc-js';
import { isAbortError } from 'abort-controller-x';
import { ServerError, Status } from 'nice-grpc-common';
import {
  BadRequest,
  ErrorInfo,
  QuotaFailure,
  RetryInfo,
  RichClientError,
  RichServerError,
} from 'nice-grpc-error-details';
import { Status as RpcStatus } from 'nice-grpc-error-details/lib/proto/google/rpc/status.js';
import { DrydockError, type ErrorDetails, type Reason, STATUS_OF } from '#libs/errors.ts';

/** Metadata in which a status bears its details, a `google.rpc.Status`. */
export const DETAILS_METADATA = 'grpc-status-details-bin';
/** `ErrorInfo.domain` of every error. */
export const ERROR_DOMAIN = 'drydock';

type Detail = ConstructorParameters<typeof RichServerError>[2] extends (infer T)[] | undefined ? T : never;

/** A typed error as `google.rpc.Status`. */
export function toRichError(error: DrydockError): RichServerError {
  return new RichServerError(STATUS_OF[error.reason], error.message, detailsOf(error));
}

/** The `google.rpc` details of an error, `ErrorInfo` first. */
export function detailsOf({ reason, details }: DrydockError): Detail[] {
  const { retryAfterMs, fields, quota, metadata = {} } = details;
  return [
    ErrorInfo.fromPartial({ reason, domain: ERROR_DOMAIN, metadata }),
    ...(retryAfterMs === undefined ? [] : [RetryInfo.fromPartial({ retryDelay: durationOf(retryAfterMs) })]),
    ...(fields ? [BadRequest.fromPartial({ fieldViolations: fields })] : []),
    ...(quota ? [QuotaFailure.fromPartial({ violations: quota })] : []),
  ];
}

/** Details that errors of the platform bear. */
export const DETAIL_TYPES = { ErrorInfo, RetryInfo, BadRequest, QuotaFailure };

/** The status to send for an error of a call: that of a ServerError with its details, or CANCELLED for an AbortError. */
export function statusOf(error: unknown): { code: Status; details: string; metadata: Metadata } {
  const metadata = new Metadata();
  if (isAbortError(error)) return { code: Status.CANCELLED, details: 'the call was cancelled', metadata };
  if (!(error instanceof ServerError)) return { code: Status.UNKNOWN, details: 'unknown error', metadata };
  const { code, details } = error;
  if (error instanceof RichServerError)
    metadata.set(DETAILS_METADATA, encodeStatus(code, details, error.extra as Detail[]));
  return { code, details, metadata };
}

function encodeStatus(code: Status, message: string, details: Detail[]): Buffer {
  const encoded = details.map((detail) => {
    const type = Object.values(DETAIL_TYPES).find(({ $type }) => $type === detail.$type) as typeof ErrorInfo;
    return { typeUrl: `type.googleapis.com/${detail.$type}`, value: type.encode(detail as ErrorInfo).finish() };
  });
  return Buffer.from(RpcStatus.encode(RpcStatus.fromPartial({ code, message, details: encoded })).finish());
}

/** Message and encoded details for a status without any; undefined if its code implies no reason. */
export function explainStatus(code: Status): { message: string; details: Buffer } | undefined {
  const reason = REASON_OF[code];
  if (!reason) return undefined;
  const message = MESSAGE_OF[reason] ?? 'internal error';
  const info = ErrorInfo.fromPartial({ reason, domain: ERROR_DOMAIN });
  return { message, details: encodeStatus(code, message, [info]) };
}

/** An error of a call, as the typed error that its server threw. */
export function fromCallError(error: unknown): unknown {
  if (!isCallError(error)) return error;
  const details = error instanceof RichClientError ? readDetails(error.extra) : {};
  const reason = details.reason ?? (error.code === undefined ? undefined : REASON_OF[error.code]) ?? 'INTERNAL';
  // A transport's own words name addresses and files that are not for every caller.
  const message = details.reason ? error.details : (MESSAGE_OF[reason] ?? 'internal error');
  return new DrydockError(reason, message, { ...details.error, cause: error });
}

const REASON_OF: { [code in Status]?: Reason } = {
  [Status.UNAVAILABLE]: 'SERVICE_UNAVAILABLE',
  [Status.UNIMPLEMENTED]: 'NOT_IMPLEMENTED',
  [Status.DEADLINE_EXCEEDED]: 'DEADLINE_TOO_SHORT',
  [Status.RESOURCE_EXHAUSTED]: 'REQUEST_TOO_LARGE',
};

const MESSAGE_OF: { [reason in Reason]?: string } = {
  SERVICE_UNAVAILABLE: 'a part of the platform cannot be reached; try again',
  NOT_IMPLEMENTED: 'this deployment does not offer the method',
  DEADLINE_TOO_SHORT: 'the deadline passed before the call was done',
  REQUEST_TOO_LARGE: 'the message is larger than the service accepts',
};

/** The code is absent where the transport itself failed to make sense of an answer. */
type CallError = Error & { code: Status | undefined; details: string };

function isCallError(error: unknown): error is CallError {
  return error instanceof Error && 'code' in error && isCode(error.code) && 'details' in error;
}

function isCode(code: unknown): code is Status | undefined {
  return code === undefined || typeof code === 'number';
}

function readDetails(extra: readonly { $type: string }[]): { reason?: Reason; error?: ErrorDetails } {
  const error: ErrorDetails = {};
  let reason: Reason | undefined;
  for (const detail of extra) {
    if (detail.$type === ErrorInfo.$type) {
      const info = detail as ErrorInfo;
      if (info.domain === ERROR_DOMAIN && Object.hasOwn(STATUS_OF, info.reason)) reason = info.reason as Reason;
      if (Object.keys(info.metadata).length > 0) error.metadata = info.metadata;
    }
    if (detail.$type === RetryInfo.$type) {
      const { seconds = 0, nanos = 0 } = (detail as RetryInfo).retryDelay ?? {};
      error.retryAfterMs = Number(seconds) * 1000 + nanos / 1e6;
    }
    if (detail.$type === BadRequest.$type)
      error.fields = (detail as BadRequest).fieldViolations.map(({ field, description }) => ({ field, description }));
    if (detail.$type === QuotaFailure.$type)
      error.quota = (detail as QuotaFailure).violations.map(({ subject, description }) => ({ subject, description }));
  }
  return reason ? { reason, error } : {};
}

function durationOf(ms: number): { seconds: number; nanos: number } {
  const seconds = Math.floor(ms / 1000);
  return { seconds, nanos: Math.round((ms - seconds * 1000) * 1e6) };
}
