import { type Environment, readEnvironment } from '#libs/config.ts';

/** What is there already, and is used instead of an own one. */
export type External = {
  /** `unix://` and the path of a Docker engine's socket. */
  dockerHost: string | undefined;
  /** A cluster's. */
  kubeconfig: string | undefined;
  natsUrl: string | undefined;
};

/** Errors: every variable that cannot be used, at once. */
export function readExternal(variables: Environment): External {
  const env = readEnvironment(variables);
  const external = {
    dockerHost: env.optionalUrl('DOCKER_HOST', ['unix:']),
    kubeconfig: env.optional('KUBECONFIG'),
    natsUrl: env.optional('NATS_URL'),
  };
  env.check();
  return external;
}
