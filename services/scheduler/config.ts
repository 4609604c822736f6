import { type Environment, readEnvironment } from '#libs/config.ts';

export function loadConfig(variables: Environment) {
  const env = readEnvironment(variables);
  const config = {
    address: env.string('SCHEDULER_ADDRESS', '127.0.0.1:7003'),
    metricsAddress: env.string('SCHEDULER_METRICS_ADDRESS', '127.0.0.1:9103'),
    sessionAddress: env.string('SESSION_ADDRESS', '127.0.0.1:7002'),
    natsUrl: env.string('NATS_URL'),
    tlsDirectory: env.optional('TLS_DIR'),
  };
  env.check();
  return config;
}
