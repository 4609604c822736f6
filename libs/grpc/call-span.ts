import { context, propagation, ROOT_CONTEXT, SpanKind, SpanStatusCode, trace } from '@opentelemetry/api';
import { isAbortError } from 'abort-controller-x';
import { type Metadata, ServerError, Status } from 'nice-grpc-common';

const tracer = trace.getTracer('drydock-grpc');

/** The span of one call that a server answers; it ends when disposed. */
export type CallSpan = Disposable & {
  /** Runs in the trace of the call. */
  run<T>(work: () => T): T;
  failed(error: unknown): void;
};

/** Starts a span below the caller's, if the metadata names one (W3C trace context). `path` is `/package.Service/Method`. */
export function startCallSpan(path: string, peer: string, metadata: Metadata): CallSpan {
  const parent = propagation.extract(ROOT_CONTEXT, metadata, {
    get: (from, key) => from.get(key)?.toString(),
    keys: (from) => [...from].map(([key]) => key),
  });
  const [service = '', method = ''] = path.slice(1).split('/');
  const attributes = {
    'rpc.system': 'grpc',
    'rpc.service': service,
    'rpc.method': method,
    'network.peer.address': peer,
  };
  const span = tracer.startSpan(path.slice(1), { kind: SpanKind.SERVER, attributes }, parent);
  const inside = trace.setSpan(parent, span);
  let code = Status.OK;
  return {
    run: (work) => context.with(inside, work),
    failed(error) {
      code = error instanceof ServerError ? error.code : isAbortError(error) ? Status.CANCELLED : Status.UNKNOWN;
      span.setStatus({ code: SpanStatusCode.ERROR, message: Status[code] });
    },
    [Symbol.dispose]() {
      span.setAttribute('rpc.grpc.status_code', code);
      span.end();
    },
  };
}
