import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { Counter, Gauge, Histogram, register } from 'prom-client';
import { type Environment, readEnvironment } from '#libs/config.ts';
import type { Logger } from '#libs/log.ts';

/** Seconds. From half a millisecond, so that a fast path can be seen, to half a minute. */
const DURATION_BUCKETS = [
  0.0005, 0.001, 0.002, 0.003, 0.005, 0.0075, 0.01, 0.015, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30,
];

/** A histogram of seconds. */
export function durationHistogram<L extends string>(name: string, help: string, labelNames: readonly L[]) {
  return new Histogram({ name, help, labelNames, buckets: DURATION_BUCKETS });
}

export function counter<L extends string>(name: string, help: string, labelNames: readonly L[]) {
  return new Counter({ name, help, labelNames });
}

/** A gauge that is read when it is scraped. */
export function gauge<L extends string>(
  name: string,
  help: string,
  labelNames: readonly L[],
  collect: (set: (labels: Record<L, string>, value: number) => void) => void,
) {
  const metric = new Gauge({
    name,
    help,
    labelNames,
    collect: () => {
      metric.reset();
      collect((labels, value) => metric.set(labels, value));
    },
  });
  return metric;
}

gauge('process_resident_memory_bytes', 'Memory of the process that is in RAM.', [], (set) =>
  set({}, process.memoryUsage.rss()),
);

export type TelemetryOptions = {
  service: string;
  /** host:port of the HTTP server for `/metrics`, `/healthz` and `/readyz`; port 0 picks a free one. */
  metricsAddress: string;
  log: Logger;
  /** Resolves when the service can do its work; what it throws is the answer of `/readyz`, with 503. */
  ready: () => Promise<void>;
};

/**
 * Serves metrics and probes, and exports traces by OTLP where `OTEL_EXPORTER_OTLP_ENDPOINT` is set; tracing is
 * configured by the standard `OTEL_*` variables alone and costs nothing when it is off.
 */
export async function startTelemetry(options: TelemetryOptions): Promise<{ port: number } & AsyncDisposable> {
  const stopTracing = isTraced(process.env) ? await startTracing(options.service) : async () => {};
  const server = createServer(async (request, response) => {
    const answer = (status: number, body: string, type = 'text/plain') =>
      response.writeHead(status, { 'content-type': type }).end(body);
    if (request.url === '/metrics') return answer(200, await register.metrics(), register.contentType);
    if (request.url === '/healthz') return answer(200, 'ok\n');
    if (request.url !== '/readyz') return answer(404, 'not found\n');
    await options.ready().then(
      () => answer(200, 'ready\n'),
      (error: unknown) => answer(503, `${error instanceof Error ? error.message : 'not ready'}\n`),
    );
  });
  const [host, port] = splitAddress(options.metricsAddress);
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve));
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
      await stopTracing();
    },
  };
}

/** Whether traces are exported. Where they are not, nothing is to be done for them in a call. */
export function isTraced(variables: Environment): boolean {
  const env = readEnvironment(variables);
  const endpoint = env.optionalUrl('OTEL_EXPORTER_OTLP_ENDPOINT', ['http:', 'https:']);
  env.check();
  return endpoint !== undefined;
}

/** `host:port` in its two parts; IPv6 hosts in brackets. */
export function splitAddress(address: string): [host: string, port: number] {
  const colon = address.lastIndexOf(':');
  return [address.slice(0, colon).replace(/^\[|\]$/g, ''), Number(address.slice(colon + 1))];
}

// Loaded on demand: the exporter costs 20 MiB of a service's memory.
async function startTracing(service: string): Promise<() => Promise<void>> {
  const [{ NodeTracerProvider, BatchSpanProcessor }, { OTLPTraceExporter }, { resourceFromAttributes }] =
    await Promise.all([
      import('@opentelemetry/sdk-trace-node'),
      import('@opentelemetry/exporter-trace-otlp-proto'),
      import('@opentelemetry/resources'),
    ]);
  const provider = new NodeTracerProvider({
    resource: resourceFromAttributes({ 'service.name': `drydock-${service}` }),
    spanProcessors: [new BatchSpanProcessor(new OTLPTraceExporter())],
  });
  provider.register();
  return () => provider.shutdown();
}
