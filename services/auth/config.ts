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
    /** Where executors join. Without it none can. */
    joinAddress: env.optional('AUTH_JOIN_ADDRESS'),
    /** PEM. The authority's certificate is the `ca.pem` of `TLS_DIR`. */
    authorityKeyFile: env.optional('AUTH_AUTHORITY_KEY_FILE'),
    /** Whose pods may join, as `namespace/name`. Without it only join tokens are taken. */
    executorServiceAccount: env.optional('AUTH_EXECUTOR_SERVICE_ACCOUNT'),
    /** Of the cluster that is asked about such tokens. Default: the one that this runs in. */
    kubeconfig: env.optional('KUBECONFIG'),
    certificateMs: env.integer('AUTH_EXECUTOR_CERTIFICATE_SECONDS', 86_400, { min: 5, max: 7 * 86_400 }) * 1_000,
  };
  const { joinAddress, tlsDirectory, authorityKeyFile } = config;
  if (joinAddress && !(tlsDirectory && authorityKeyFile))
    env.problem('AUTH_JOIN_ADDRESS', 'needs TLS_DIR and AUTH_AUTHORITY_KEY_FILE');
  env.check();
  return config;
}
