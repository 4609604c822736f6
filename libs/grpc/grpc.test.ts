import pino from 'pino';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import { createClient } from '#libs/grpc/client.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { callerOf, service, startServer } from '#libs/grpc/server.ts';
import { ProcessServiceDefinition as definition, type ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';

const log = pino({ level: 'silent' });
const caller = { organizationId: 'org_1', apiKeyId: 'key_1', scopes: [], quota: undefined };

async function serve(implementation: Partial<Rpc<ProcessServiceDefinition>>) {
  const server = await startServer({ address: '127.0.0.1:0', services: [service(definition, implementation)], log });
  const client = createClient(definition, `127.0.0.1:${server.port}`);
  return {
    client,
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await server[Symbol.asyncDispose]();
    },
  };
}

test('a typed error crosses a call whole', async () => {
  const error = new DrydockError('NO_CAPACITY', 'no room; try again', {
    retryAfterMs: 1500,
    metadata: { executors: '2' },
  });
  await using served = await serve({ listProcesses: async () => Promise.reject(error) });
  await expect(served.client.listProcesses({ sandboxId: '' })).rejects.toMatchObject({
    reason: 'NO_CAPACITY',
    message: 'no room; try again',
    details: { retryAfterMs: 1500, metadata: { executors: '2' } },
  });
});

test('an unexpected error says nothing of the inside', async () => {
  await using served = await serve({ listProcesses: async () => Promise.reject(new Error('password is hunter2')) });
  await expect(served.client.listProcesses({ sandboxId: '' })).rejects.toMatchObject({
    reason: 'INTERNAL',
    message: 'internal error',
  });
});

test('a method without an implementation is NOT_IMPLEMENTED', async () => {
  await using served = await serve({});
  await expect(served.client.listProcesses({ sandboxId: '' })).rejects.toMatchObject({ reason: 'NOT_IMPLEMENTED' });
});

test('the caller travels with the call', async () => {
  let seen: unknown;
  await using served = await serve({
    async listProcesses(_, call) {
      seen = callerOf(call);
      return { processes: [] };
    },
  });
  await served.client.listProcesses({ sandboxId: '' }, { caller });
  expect(seen).toEqual(caller);
  await expect(served.client.listProcesses({ sandboxId: '' })).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
});

test('ending a stream at the client aborts the handler', async () => {
  const ended = Promise.withResolvers<void>();
  await using served = await serve({
    async *startProcess(_, { signal }) {
      signal.addEventListener('abort', () => ended.resolve());
      yield { event: { $case: 'started', value: { processId: 'p', pid: 1 } } };
      await ended.promise;
    },
  });
  const request = {
    sandboxId: '',
    command: [],
    environment: {},
    workingDirectory: '',
    stdin: Buffer.alloc(0),
    openStdin: false,
    terminal: undefined,
    detached: false,
    requestId: '',
  };
  for await (const { event } of served.client.startProcess(request)) {
    expect(event?.$case).toBe('started');
    break;
  }
  await ended.promise;
});

test('a deadline of the client is told as such', async () => {
  await using served = await serve({
    listProcesses: (_, { signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
  });
  await expect(served.client.listProcesses({ sandboxId: '' }, { deadlineMs: 20 })).rejects.toMatchObject({
    reason: 'DEADLINE_TOO_SHORT',
  });
});

test('calls that wait, of any client, do not delay others inside', async () => {
  const over = Promise.withResolvers<{ processes: [] }>();
  await using served = await serve({
    listProcesses: async ({ sandboxId }) => (sandboxId === 'waits' ? over.promise : { processes: [] }),
  });
  const waiting = Array.from({ length: 1_500 }, () => served.client.listProcesses({ sandboxId: 'waits' }));
  expect(await served.client.listProcesses({ sandboxId: '' }, { deadlineMs: 10_000 })).toEqual({ processes: [] });
  over.resolve({ processes: [] });
  await Promise.all(waiting);
});

test('an internal server refuses to listen to everybody without certificates', async () => {
  await expect(startServer({ address: '0.0.0.0:0', services: [], log })).rejects.toThrow(/TLS_DIR/);
});
