import { LRUCache } from 'lru-cache';
import { createClient } from '#libs/grpc/client.ts';
import type { CallOptions, Definition } from '#libs/grpc/rpc.ts';
import type { ServiceName, TlsFiles } from '#libs/grpc/tls.ts';

const MAX_CONNECTIONS = 1_000;

/** The methods of some service. Only forwarding calls them, and it passes on what it was given. */
// biome-ignore lint/suspicious/noExplicitAny: messages of any type
export type AnyClient = Record<string, (request: any, options: CallOptions) => any>;

export type Connections = {
  /** A client of one service at one address; it is kept for the next call. */
  to(name: ServiceName, address: string, service: Definition): AnyClient;
};

export function openConnections(tls: TlsFiles | undefined): Connections & Disposable {
  const clients = new LRUCache<string, AnyClient & Disposable>({
    max: MAX_CONNECTIONS,
    dispose: (client) => client[Symbol.dispose](),
  });
  return {
    to(name, address, service) {
      const key = `${address} ${service.fullName}`;
      let client = clients.get(key);
      if (!client) {
        client = createClient(service, address, { name, tls }) as unknown as AnyClient & Disposable;
        clients.set(key, client);
      }
      return client;
    },
    [Symbol.dispose]: () => clients.clear(),
  };
}
