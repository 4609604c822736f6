import { type Environment, readEnvironment } from '#libs/config.ts';

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('AUTH_ADDRESS', '127.0.0.1:7001'),
    metricsAddress: env.string('AUTH_METRICS_ADDRESS', '127.0.0.1:9101'),
    databaseUrl: env.string('DATABASE_URL'),
    natsUrl: env.string('NATS_URL'),
    tlsDirectory: env.optional('TLS_DIR'),
  };
  env.check();
  return config;
}
