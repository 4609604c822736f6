import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';
import { parseOrigin } from './http/cors.ts';
import type { InFlightLimits } from './in-flight.ts';
import type { TlsOptions } from './tls.ts';
import { parseRange } from './webhooks/addresses.ts';
import { parsePorts, WEB_PORTS } from './webhooks/ports.ts';

const MiB = 1024 * 1024;

const BUILD = join(import.meta.dirname, '../../.build');

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('GATEWAY_ADDRESS', '127.0.0.1:7000'),
    httpAddress: env.string('GATEWAY_HTTP_ADDRESS', '127.0.0.1:8080'),
    metricsAddress: env.string('GATEWAY_METRICS_ADDRESS', '127.0.0.1:9100'),
    authAddress: env.string('AUTH_ADDRESS', '127.0.0.1:7001'),
    sessionAddress: env.string('SESSION_ADDRESS', '127.0.0.1:7002'),
    schedulerAddress: env.string('SCHEDULER_ADDRESS', '127.0.0.1:7003'),
    natsUrl: env.string('NATS_URL'),
    tlsDirectory: env.optional('TLS_DIR'),
    /** A FileDescriptorSet of the protos, with their comments. */
    descriptorsFile: env.string('DESCRIPTORS_FILE', join(BUILD, 'descriptors.binpb')),
    /** Samples of each operation, JSON. */
    samplesFile: env.string('SAMPLES_FILE', join(BUILD, 'samples.json')),
    /** Calls of one organisation: how many a second in the long run, and how many at once. */
    rate: {
      perSecond: env.integer('GATEWAY_CALLS_PER_SECOND', 2_000, { min: 1, max: 1_000_000 }),
      burst: env.integer('GATEWAY_CALLS_BURST', 4_000, { min: 1, max: 1_000_000 }),
    },
    /** Bytes of requests and answers under way: of the process, and what one organisation or connection may have of them. */
    inFlight: shared(env.integer('GATEWAY_BYTES_IN_FLIGHT', 64 * MiB, { min: 52 * MiB, max: 64 * 1024 * MiB })),
    /** Of its own, towards clients. */
    tls: readTlsFiles(env),
    /** Whose pages browsers let call. */
    corsOrigins: env.list('GATEWAY_CORS_ORIGINS', parseOrigin),
    webhooks: {
      /** Deliveries that are sent at one time. */
      concurrency: env.integer('GATEWAY_WEBHOOK_CONCURRENCY', 32, { min: 1, max: 1_000 }),
      /** Where webhooks may be sent to though it is not the public internet. */
      allowedRanges: env.list('GATEWAY_WEBHOOK_ALLOWED_RANGES', parseRange),
      /** Which ports they may be sent to, there and elsewhere. */
      allowedPorts: env.list('GATEWAY_WEBHOOK_ALLOWED_PORTS', parsePorts, WEB_PORTS),
    },
  };
  env.check();
  return config;
}

/** Two fifths each, so that two callers who send all they can leave room for a third. */
function shared(process: number): InFlightLimits {
  const share = Math.floor(process * 0.4);
  return { process, organization: share, connection: share };
}

function readTlsFiles(env: ReturnType<typeof readEnvironment>): TlsOptions | undefined {
  const wanted = env.optional('GATEWAY_TLS_CERT_FILE') ?? env.optional('GATEWAY_TLS_KEY_FILE');
  return wanted
    ? { certificateFile: env.string('GATEWAY_TLS_CERT_FILE'), keyFile: env.string('GATEWAY_TLS_KEY_FILE') }
    : undefined;
}
