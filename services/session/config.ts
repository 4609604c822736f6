import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('SESSION_ADDRESS', '127.0.0.1:7002'),
    metricsAddress: env.string('SESSION_METRICS_ADDRESS', '127.0.0.1:9102'),
    databaseUrl: env.string('DATABASE_URL'),
    /** Whether to bring the schema to this version, or to wait until `migrate.ts` has. */
    migrations: env.oneOf('DATABASE_MIGRATIONS', ['run', 'await'], 'run'),
    natsUrl: env.string('NATS_URL'),
    catalogFile: env.string('CATALOG_FILE', join(import.meta.dirname, '../../deploy/images/catalog.json')),
    /** A FileDescriptorSet of the protos. */
    descriptorsFile: env.string('DESCRIPTORS_FILE', join(import.meta.dirname, '../../.build/descriptors.binpb')),
    tlsDirectory: env.optional('TLS_DIR'),
    queue: {
      maxQueued: env.integer('SESSION_MAX_QUEUED_EXECUTIONS', 1_000_000, { min: 1 }),
      maxAgeMs: env.integer('SESSION_MAX_QUEUE_AGE_SECONDS', 3_600, { min: 1 }) * 1_000,
    },
    /** How long ended sandboxes and executions are kept. */
    retentionMs: env.integer('SESSION_RETENTION_HOURS', 7 * 24, { min: 1 }) * 3_600_000,
  };
  env.check();
  return config;
}
