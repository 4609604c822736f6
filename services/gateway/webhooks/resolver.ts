import { Resolver } from 'node:dns/promises';

const TRY_MS = 2_000;
const TRIES = 2;

/** The addresses of a host name; none where it has none or nobody says. */
export type Resolve = (name: string) => Promise<string[]>;

/**
 * Asks the name servers directly. The system's own lookup would hold one of the process's few threads for as long as a
 * tenant's name server likes, and follow names that only this machine knows. `servers` are `address:port`; default: the system's.
 */
export function createResolver(servers?: string[]): Resolve {
  const resolver = new Resolver({ timeout: TRY_MS, tries: TRIES });
  if (servers) resolver.setServers(servers);
  return async (name) => {
    const found = await Promise.allSettled([resolver.resolve4(name), resolver.resolve6(name)]);
    return found.flatMap((each) => (each.status === 'fulfilled' ? each.value : []));
  };
}
