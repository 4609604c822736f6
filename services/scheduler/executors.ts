import { createClient } from '#libs/grpc/client.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import type { TlsFiles } from '#libs/grpc/tls.ts';
import {
  ExecutorServiceDefinition as definition,
  type ExecutorServiceDefinition,
} from '#proto/drydock/internal/v1/executor.ts';

export type ExecutorClient = Client<ExecutorServiceDefinition>;

export type Executors = {
  /** The executor at an address; its connection is kept for the next call. */
  at(address: string): ExecutorClient;
};

export function connectExecutors(tls: TlsFiles | undefined): Executors & Disposable {
  const clients = new Map<string, ExecutorClient & Disposable>();
  return {
    at(address) {
      let client = clients.get(address);
      if (!client) {
        client = createClient(definition, address, { name: 'executor', tls });
        clients.set(address, client);
      }
      return client;
    },
    [Symbol.dispose]() {
      for (const client of clients.values()) client[Symbol.dispose]();
    },
  };
}
