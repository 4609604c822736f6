import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('SESSION_ADDRESS', '127.0.0.1:7002'),
    metricsAddress: env.string('SESSION_METRICS_ADDRESS', '127.0.0.1:9102'),
    databaseUrl: env.string('DATABASE_URL'),
    natsUrl: env.string('NATS_URL'),
    catalogFile: env.string('CATALOG_FILE', join(import.meta.dirname, '../../deploy/images/catalog.json')),
    tlsDirectory: env.optional('TLS_DIR'),
  };
  env.check();
  return config;
}
