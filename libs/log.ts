import { trace } from '@opentelemetry/api';
import pino from 'pino';
import { type Environment, readEnvironment } from '#libs/config.ts';

export type Logger = pino.Logger;

const LEVELS = ['trace', 'debug', 'info', 'warn', 'error', 'fatal', 'silent'] as const;

/** One JSON line per event on stdout, with the id of the trace that it belongs to. `LOG_LEVEL` sets the level, default info. */
export function createLogger(service: string, variables: Environment = process.env): Logger {
  const env = readEnvironment(variables);
  const level = env.oneOf('LOG_LEVEL', LEVELS, 'info');
  env.check();
  return pino({
    level,
    base: { service },
    mixin() {
      const span = trace.getActiveSpan()?.spanContext();
      return span ? { traceId: span.traceId, spanId: span.spanId } : {};
    },
  });
}
