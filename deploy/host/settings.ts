import { homedir } from 'node:os';
import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';

/** Variables that the start script reads, with their defaults; `--help` prints them. */
export const VARIABLES = `Environment:
  DRYDOCK_DATA_DIR      where everything is kept (/var/lib/drydock as root, else ~/.local/share/drydock)
  DRYDOCK_IMAGE_CACHE   where built images are kept, for any number of engines (images, below DRYDOCK_DATA_DIR)
  DRYDOCK_GATEWAY_PORT  gRPC (7000)          DRYDOCK_HTTP_PORT       HTTP (8080)
  DRYDOCK_BASE_PORT     the first of the internal ports (7001): auth (two), session, scheduler, PostgreSQL, NATS, metrics
                        of gateway, auth, session, scheduler, then two per executor
  DATABASE_URL          a PostgreSQL to use instead of an own one
  NATS_URL              a NATS with JetStream to use instead of an own one
  DOCKER_HOST           unix:// socket of a Docker engine to use instead of the machine's or an own one
  KUBECONFIG            with --backend kubernetes, a cluster to use instead of an own one, which needs root
  OTEL_EXPORTER_OTLP_ENDPOINT  where traces go (nowhere)
  LOG_LEVEL             of the services (info)
`;

/** Every port of a platform; an executor has one for calls and one for metrics. */
export type Ports = {
  postgres: number;
  nats: number;
  gateway: number;
  http: number;
  auth: number;
  /** Of auth: where executors join. */
  join: number;
  session: number;
  scheduler: number;
  metrics: {
    gateway: number;
    auth: number;
    session: number;
    scheduler: number;
  };
  executors: { port: number; metrics: number }[];
};

export type Settings = {
  dataDirectory: string;
  imageCache: string;
  databaseUrl: string | undefined;
  natsUrl: string | undefined;
  ports: Ports;
};

export function readSettings(variables: Environment, executors: number): Settings {
  const env = readEnvironment(variables);
  const home = process.getuid?.() === 0 ? '/var/lib/drydock' : join(homedir(), '.local/share/drydock');
  const port = { min: 1, max: 65_000 };
  let next = env.integer('DRYDOCK_BASE_PORT', 7001, port);
  const take = () => next++;
  const dataDirectory = env.string('DRYDOCK_DATA_DIR', home);
  const settings = {
    dataDirectory,
    imageCache: env.string('DRYDOCK_IMAGE_CACHE', join(dataDirectory, 'images')),
    databaseUrl: env.optional('DATABASE_URL'),
    natsUrl: env.optional('NATS_URL'),
    ports: {
      gateway: env.integer('DRYDOCK_GATEWAY_PORT', 7000, port),
      http: env.integer('DRYDOCK_HTTP_PORT', 8080, port),
      auth: take(),
      join: take(),
      session: take(),
      scheduler: take(),
      postgres: take(),
      nats: take(),
      metrics: {
        gateway: take(),
        auth: take(),
        session: take(),
        scheduler: take(),
      },
      executors: Array.from({ length: executors }, () => ({
        port: take(),
        metrics: take(),
      })),
    },
  };
  env.check();
  return settings;
}
