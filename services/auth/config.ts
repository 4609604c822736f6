import { type Environment, readEnvironment } from '#libs/config.ts';

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('AUTH_ADDRESS', '127.0.0.1:7001'),
    metricsAddress: env.string('AUTH_METRICS_ADDRESS', '127.0.0.1:9101'),
    databaseUrl: env.string('DATABASE_URL'),
    /** Whether to bring the schema to this version, or to wait until `migrate.ts` has. */
    migrations: env.oneOf('DATABASE_MIGRATIONS', ['run', 'await'], 'run'),
    natsUrl: env.string('NATS_URL'),
    tlsDirectory: env.optional('TLS_DIR'),
  };
  env.check();
  return config;
}
