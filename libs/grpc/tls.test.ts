import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createAuthority } from '#libs/certificates/authority.ts';
import { type ClientOptions, createClient } from '#libs/grpc/client.ts';
import { PEER_METADATA } from '#libs/grpc/interceptors.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { nameOfExecutor, readTls, type TlsFiles } from '#libs/grpc/tls.ts';
import { ProcessServiceDefinition as definition } from '#proto/drydock/v1/process.ts';
import { ensureCertificates } from '../../deploy/local/certificates.ts';
import { tlsOfExecutor } from '../../test/support/executor-tls.ts';

const log = pino({ level: 'silent' });
let directory: string;
let server: Awaited<ReturnType<typeof startServer>>;
let calls = 0;

/** Executor `one`, which the gateway may call. */
beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-tls-'));
  await ensureCertificates(directory);
  for (const id of ['one', 'two']) executors.set(id, await tlsOfExecutor(directory, id));
  const listProcesses = async () => {
    calls++;
    return { processes: [] };
  };
  server = await startServer({
    address: '127.0.0.1:0',
    services: [service(definition, { listProcesses }, { allow: ['gateway'] })],
    log,
    tls: ofExecutor('one'),
  });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});
beforeEach(() => {
  calls = 0;
});

const executors = new Map<string, TlsFiles>();
const ofExecutor = (id: string) => executors.get(id)!;
const ofService = (name: 'auth' | 'session' | 'scheduler' | 'gateway') => readTls(directory, name)!;

async function call(options: ClientOptions): Promise<unknown> {
  using client = createClient(definition, `127.0.0.1:${server.port}`, { name: nameOfExecutor('one'), ...options });
  return await client.listProcesses({ sandboxId: '' }, { deadlineMs: 2_000 });
}

async function ofAnotherAuthority(): Promise<TlsFiles> {
  const { certificate, key } = await (await createAuthority('another')).issue('CN=gateway', { dns: ['gateway'] });
  return { ...ofService('gateway'), certificate: Buffer.from(certificate), key: Buffer.from(key) };
}

test('a service that may call is answered', async () => {
  expect(await call({ tls: ofService('gateway') })).toEqual({ processes: [] });
});

test.each(['auth', 'session', 'scheduler'] as const)('%s, which may not call, is refused', async (name) => {
  const refused = { reason: 'CALLER_FORBIDDEN', message: `${name} must not call this service` };
  await expect(call({ tls: ofService(name) })).rejects.toMatchObject(refused);
  await expect(call({ tls: ofService(name), metadata: { [PEER_METADATA]: 'gateway' } })).rejects.toMatchObject(refused);
  expect(calls).toBe(0);
});

test('an executor may call no other', async () => {
  await expect(call({ tls: ofExecutor('two') })).rejects.toMatchObject({ reason: 'CALLER_FORBIDDEN' });
  expect(calls).toBe(0);
});

test('a certificate that another authority signed is refused, and so is a caller without one or without TLS', async () => {
  const away = { reason: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_TOO_SHORT/) };
  await expect(call({ tls: await ofAnotherAuthority() })).rejects.toMatchObject(away);
  const { ca } = ofService('gateway');
  await expect(call({ tls: { ca } })).rejects.toMatchObject(away);
  await expect(call({})).rejects.toMatchObject(away);
  expect(calls).toBe(0);
});

test('an executor that answers for another, or for a service, is sent nothing', async () => {
  const away = { reason: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_TOO_SHORT/) };
  const tls = ofService('gateway');
  for (const name of [nameOfExecutor('two'), 'executor', 'auth', 'session'])
    await expect(call({ tls, name }), name).rejects.toMatchObject(away);
  expect(calls).toBe(0);
});

test('a server that another authority signed is sent nothing', async () => {
  const ca = Buffer.from((await createAuthority('another')).certificate);
  const away = { reason: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_TOO_SHORT/) };
  await expect(call({ tls: { ...ofService('gateway'), ca } })).rejects.toMatchObject(away);
  expect(calls).toBe(0);
});
