import { createClient } from '#libs/grpc/client.ts';
import type { Client, Definition } from '#libs/grpc/rpc.ts';
import type { TlsFiles } from '#libs/grpc/tls.ts';
import type { Owner } from './api.ts';

export type Addresses = { authAddress: string; sessionAddress: string; schedulerAddress: string };

/** Clients of the services that do the work, made when they are first needed and kept. */
export function connectOwners({ authAddress, sessionAddress, schedulerAddress }: Addresses, tls: TlsFiles | undefined) {
  const fixed: Record<Exclude<Owner, 'executor'>, string> = {
    auth: authAddress,
    session: sessionAddress,
    scheduler: schedulerAddress,
  };
  const clients = new Map<string, Client<Definition> & Disposable>();
  return {
    clientOf(definition: Definition, owner: Owner, address?: string): Client<Definition> {
      const at = owner === 'executor' ? (address ?? '') : fixed[owner];
      const key = `${definition.fullName} ${at}`;
      let client = clients.get(key);
      if (!client) {
        client = createClient(definition, at, { name: owner, tls });
        clients.set(key, client);
      }
      return client;
    },
    [Symbol.dispose]() {
      for (const client of clients.values()) client[Symbol.dispose]();
    },
  };
}
