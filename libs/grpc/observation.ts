import { isAbortError } from 'abort-controller-x';
import { ServerError, Status } from 'nice-grpc-common';
import { DrydockError, STATUS_OF } from '#libs/errors.ts';
import { toRichError } from '#libs/grpc/status.ts';
import type { Logger } from '#libs/log.ts';
import { durationHistogram } from '#libs/telemetry.ts';

const calls = durationHistogram('rpc_server_duration_seconds', 'From the request to the last response.', [
  'method',
  'code',
]);

/** One call that a server answers: counted, timed and logged when disposed. */
export type Observation = Disposable & {
  succeeded(): void;
  /** The error as it goes on the wire: typed errors whole, an AbortError as it is, any other logged once and hidden. */
  failed(error: unknown): unknown;
};

/** Begins to observe a call. `fields` are added to its log lines, besides its path. */
export function observeCall(path: string, fields: Record<string, string>, log: Logger): Observation {
  const logged = { path, ...fields };
  const end = calls.startTimer();
  // Stays CANCELLED if the caller hangs up.
  let code = Status.CANCELLED;
  return {
    succeeded() {
      code = Status.OK;
    },
    failed(error) {
      const known = toServerError(log, logged, error);
      if (known instanceof ServerError) code = known.code;
      return known;
    },
    [Symbol.dispose]() {
      end({ method: path, code: Status[code] });
      log.debug({ ...logged, code: Status[code] }, 'call ended');
    },
  };
}

function toServerError(log: Logger, fields: object, error: unknown): unknown {
  if (isAbortError(error)) return error;
  if (error instanceof DrydockError) {
    if (STATUS_OF[error.reason] === Status.INTERNAL) log.error({ ...fields, err: error }, 'internal error');
    return toRichError(error);
  }
  log.error({ ...fields, err: error }, 'unexpected error');
  return toRichError(new DrydockError('INTERNAL', 'internal error'));
}
