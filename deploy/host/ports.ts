import { createServer } from 'node:net';
import type { Settings } from './settings.ts';

export type Port = { port: number; variable: string };

/** Every port that a platform listens on, with the variable that moves it. */
export function portsOf({ ports, databaseUrl, natsUrl }: Settings): Port[] {
  const { gateway, http, auth, join, session, scheduler, postgres, nats, metrics, executors } = ports;
  const internal = [
    ...[auth, join, session, scheduler, ...Object.values(metrics), ...executors.flatMap(Object.values<number>)],
    ...(databaseUrl ? [] : [postgres]),
    ...(natsUrl ? [] : [nats]),
  ];
  return [
    { port: gateway, variable: 'DRYDOCK_GATEWAY_PORT' },
    { port: http, variable: 'DRYDOCK_HTTP_PORT' },
    ...internal.map((port) => ({ port, variable: 'DRYDOCK_BASE_PORT' })),
  ];
}

/** Those that somebody else listens on. */
export async function takenPorts(settings: Settings): Promise<Port[]> {
  const all = portsOf(settings);
  const free = await Promise.all(all.map(({ port }) => isFree(port)));
  return all.filter((_, index) => !free[index]);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}
