/** Where OpenTelemetry's API keeps what the program has registered, in all of its versions 1. */
const REGISTERED = Symbol.for('opentelemetry.js.api.1');
const HEADERS = ['traceparent', 'tracestate'];

type Registered = {
  context?: { active(): unknown };
  propagation?: {
    inject(
      context: unknown,
      carrier: Headers,
      setter: { set(carrier: Headers, key: string, value: unknown): void },
    ): void;
  };
};
type Headers = Record<string, string>;

/** The W3C trace context of the caller, as headers; none where the program has no OpenTelemetry, which this package does not bring. */
export function traceHeaders(): Headers {
  const { context, propagation } = (globalThis as { [REGISTERED]?: Registered })[REGISTERED] ?? {};
  const headers: Headers = {};
  if (context && propagation)
    propagation.inject(context.active(), headers, {
      set(carrier, key, value) {
        if (HEADERS.includes(key)) carrier[key] = String(value);
      },
    });
  return headers;
}
