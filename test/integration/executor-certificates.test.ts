import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { connect } from 'node:tls';
import pino from 'pino';
import { register } from 'prom-client';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { nameOfExecutor, readTls } from '#libs/grpc/tls.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { migrate, openDatabase } from '#libs/postgres/database.ts';
import { ExecutorServiceDefinition } from '#proto/drydock/internal/v1/executor.ts';
import { ProcessServiceDefinition } from '#proto/drydock/v1/process.ts';
import { authorityKey, ensureCertificates } from '../../deploy/local/certificates.ts';
import { startNats } from '../../deploy/local/nats.ts';
import { createJoinToken } from '../../services/auth/join-tokens.ts';
import { type IdentityOptions, openIdentity } from '../../services/executor/lifecycle/identity.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { startService } from '../support/service-process.ts';

const LIFETIME_MS = 6_000;
const MIGRATIONS = join(import.meta.dirname, '../../migrations/auth');
const log = pino({ level: 'silent' });
const signal = new AbortController().signal;

const parts = new AsyncDisposableStack();
let directory: string;
let tlsDirectory: string;
let databaseUrl: string;
let variables: Record<string, string>;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-certificates-'));
  parts.defer(() => rm(directory, { recursive: true }));
  tlsDirectory = join(directory, 'tls');
  await ensureCertificates(tlsDirectory);
  databaseUrl = await parts.use(await startPostgres()).createDatabase();
  await migrate(databaseUrl, 'auth', MIGRATIONS, log);
  const ports = await Promise.all([freePort(), freePort(), freePort()]);
  const [address, joining, metrics] = ports.map((port) => `127.0.0.1:${port}`) as [string, string, string];
  variables = {
    DATABASE_URL: databaseUrl,
    // Nobody is there: executors join without it.
    NATS_URL: 'tls://127.0.0.1:9',
    TLS_DIR: tlsDirectory,
    AUTH_ADDRESS: address,
    AUTH_JOIN_ADDRESS: joining,
    AUTH_METRICS_ADDRESS: metrics,
    AUTH_AUTHORITY_KEY_FILE: authorityKey(tlsDirectory),
    AUTH_EXECUTOR_CERTIFICATE_SECONDS: `${LIFETIME_MS / 1000}`,
  };
});
afterAll(() => parts.disposeAsync());
beforeEach(() => register.clear());

async function tokenFileFor(executorId: string): Promise<string> {
  await using db = openDatabase(databaseUrl, 'auth', log);
  const file = join(directory, `token-of-${executorId}`);
  await writeFile(file, `${(await createJoinToken(db, executorId, 15)).token}\n`);
  return file;
}

async function optionsOf(executorId: string, more: Partial<IdentityOptions> = {}): Promise<IdentityOptions> {
  return {
    executorId,
    ca: readTls(tlsDirectory, 'auth')!.ca,
    directory: join(directory, `of-${executorId}`),
    joinAddress: variables.AUTH_JOIN_ADDRESS!,
    authAddress: variables.AUTH_ADDRESS!,
    joinTokenFile: undefined,
    serviceAccountTokenFile: undefined,
    log,
    ...more,
  };
}

/** What a new connection to a server is shown. */
function shownAt(port: number): Promise<X509Certificate> {
  const { ca, certificate: cert, key } = readTls(tlsDirectory, 'gateway')!;
  return new Promise((resolve, reject) => {
    const options = {
      host: '127.0.0.1',
      port,
      ca,
      cert,
      key,
      servername: nameOfExecutor('one'),
      ALPNProtocols: ['h2'],
    };
    const socket = connect(options, () => {
      resolve(socket.getPeerX509Certificate()!);
      socket.destroy();
    }).once('error', reject);
  });
}

test('an executor waits for auth, joins, and renews at two thirds of each life; calls, connections and NATS go on', async () => {
  const joinTokenFile = await tokenFileFor('one');
  const opening = openIdentity(await optionsOf('one', { joinTokenFile }), signal);
  await using _auth = startService('auth', variables);
  await using identity = await opening;
  const renewals: number[] = [];
  const began = Date.now();
  using _renewed = identity.tls.onRenewed!(() => renewals.push(Date.now() - began));
  const first = new X509Certificate(identity.tls.certificate);

  await using server = await startServer({
    address: '127.0.0.1:0',
    services: [
      service(ExecutorServiceDefinition, { runExecution: untilHungUp }, { allow: ['gateway'] }),
      service(ProcessServiceDefinition, { listProcesses: async () => ({ processes: [] }) }, { allow: ['gateway'] }),
    ],
    log,
    tls: identity.tls,
  });
  const address = `127.0.0.1:${server.port}`;
  const options = { name: nameOfExecutor('one'), tls: readTls(tlsDirectory, 'gateway')! };
  using running = createClient(ExecutorServiceDefinition, address, options);
  const hangUp = new AbortController();
  const stream = running.runExecution({ spec: undefined, streamOutput: false }, { signal: hangUp.signal });
  const events = stream[Symbol.asyncIterator]();
  await events.next();

  const port = await freePort();
  const natsOptions = { dataDirectory: directory, runDirectory: directory, tlsDirectory, executorIds: ['one'], port };
  let nats = await startNats(natsOptions);
  await using heard = connectEvents({
    url: nats.url,
    name: 'executor-one',
    service: 'executor',
    tls: identity.tls,
    log,
  });
  await expect.poll(() => heard.connected()).toBe(true);

  // The first certificate is over by then.
  await expect.poll(() => Date.now()).toBeGreaterThan(first.validToDate.getTime());
  expect(renewals[0]).toBeGreaterThan(LIFETIME_MS / 2);
  expect(renewals[0]).toBeLessThan((LIFETIME_MS * 3) / 4);
  expect((await shownAt(server.port)).serialNumber).not.toBe(first.serialNumber);
  expect((await shownAt(server.port)).publicKey.equals(first.publicKey)).toBe(false);
  using fresh = createClient(ProcessServiceDefinition, address, options);
  await fresh.listProcesses({ sandboxId: '' });
  expect((await events.next()).done).toBe(false);
  hangUp.abort();

  await nats.stop();
  await expect.poll(() => heard.connected()).toBe(false);
  nats = await startNats(natsOptions);
  await using _nats = nats;
  await expect.poll(() => heard.connected()).toBe(true);
}, 60_000);

async function* untilHungUp(_: unknown, { signal: gone }: { signal: AbortSignal }) {
  for (; !gone.aborted; await new Promise((resolve) => setTimeout(resolve, 100)))
    yield { event: { $case: 'compileStarted' as const, value: {} } };
}

test('an executor that starts again has the certificate that it had, for itself alone, and needs no token', async () => {
  await using _auth = startService('auth', { ...variables, AUTH_EXECUTOR_CERTIFICATE_SECONDS: '600' });
  const joinTokenFile = await tokenFileFor('two');
  const identity = await openIdentity(await optionsOf('two', { joinTokenFile }), signal);
  const { certificate } = identity.tls;
  await identity[Symbol.asyncDispose]();
  register.clear();
  const kept = join(directory, 'of-two/certificate.pem');
  expect((await stat(kept)).mode & 0o077).toBe(0);
  expect((await stat(join(directory, 'of-two'))).mode & 0o077).toBe(0);
  await using again = await openIdentity(await optionsOf('two'), signal);
  expect(again.tls.certificate).toEqual(certificate);

  // What is of another executor, damaged, or of another authority is none.
  const none = /make a join token/;
  const pem = await readFile(kept, 'utf8');
  await expect(
    openIdentity(await optionsOf('three', { directory: join(directory, 'of-two') }), signal),
  ).rejects.toThrow(none);
  await ensureCertificates(join(directory, 'other'));
  const { ca } = readTls(join(directory, 'other'), 'auth')!;
  await expect(openIdentity(await optionsOf('two', { ca }), signal)).rejects.toThrow(none);
  for (const damaged of ['', pem.slice(0, 200), pem.replace('-----BEGIN PRIVATE KEY-----', '')]) {
    await writeFile(kept, damaged);
    await expect(openIdentity(await optionsOf('two'), signal)).rejects.toThrow(none);
  }
});

test('an executor whose token is refused ends and says why, and one whose auth has gone away does not', async () => {
  const auth = startService('auth', { ...variables, AUTH_EXECUTOR_CERTIFICATE_SECONDS: '600' });
  const joinTokenFile = await tokenFileFor('four');
  await expect(openIdentity(await optionsOf('five', { joinTokenFile }), signal)).rejects.toMatchObject({
    reason: 'INVALID_FIELD',
    message: expect.stringContaining('four.executor'),
  });
  await using _identity = await openIdentity(await optionsOf('four', { joinTokenFile }), signal);
  const others = { directory: join(directory, 'elsewhere') };
  await expect(openIdentity(await optionsOf('four', { joinTokenFile, ...others }), signal)).rejects.toMatchObject({
    reason: 'CREDENTIAL_INVALID',
    message: expect.stringContaining('make another one with services/auth/create-join-token.ts'),
  });
  await auth.stop();
  const leaving = AbortSignal.timeout(2_000);
  const waiting = openIdentity(await optionsOf('four', { joinTokenFile, ...others }), leaving);
  await expect(waiting).rejects.toMatchObject({ name: 'TimeoutError' });
});
