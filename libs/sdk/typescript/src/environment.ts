import { type Connection, createConnection } from './connection.ts';
import { resolveSettings } from './platform.ts';

let shared: Connection | undefined;

/** The connection of what is called without a client: made once, from the environment or the profile. */
export function environmentConnection(): Connection {
  shared ??= createConnection(resolveSettings({}), {});
  return shared;
}
