import { DrydockError } from '#libs/errors.ts';
import { createClient } from '#libs/grpc/client.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import { nameOfExecutor, type TlsFiles } from '#libs/grpc/tls.ts';
import type { ExecutorAnnounced } from '#proto/drydock/internal/v1/events.ts';
import {
  ExecutorServiceDefinition as definition,
  type ExecutorServiceDefinition,
} from '#proto/drydock/internal/v1/executor.ts';

export type ExecutorClient = Client<ExecutorServiceDefinition>;

export type Executors = {
  /** The client of an executor, whose certificate must name it; its connection is reused. */
  at(executor: Pick<ExecutorAnnounced, 'executorId' | 'address'>): ExecutorClient;
  /** Aborted with SERVICE_UNAVAILABLE when the executor is lost: a call to a dead host may hang for ever. */
  alive(executorId: string): AbortSignal;
  /** Aborts the calls to an executor that is lost. */
  lost(executorId: string): void;
};

export function connectExecutors(tls: TlsFiles | undefined): Executors & Disposable {
  const clients = new Map<string, ExecutorClient & Disposable>();
  const lives = new Map<string, AbortController>();
  return {
    at({ executorId, address }) {
      const key = `${executorId} ${address}`;
      let client = clients.get(key);
      if (!client) {
        client = createClient(definition, address, { name: nameOfExecutor(executorId), tls });
        clients.set(key, client);
      }
      return client;
    },
    alive(executorId) {
      const life = lives.get(executorId) ?? new AbortController();
      lives.set(executorId, life);
      return life.signal;
    },
    lost(executorId) {
      lives.get(executorId)?.abort(new DrydockError('SERVICE_UNAVAILABLE', 'the execution was lost with its host'));
      lives.delete(executorId);
    },
    [Symbol.dispose]() {
      for (const client of clients.values()) client[Symbol.dispose]();
    },
  };
}
