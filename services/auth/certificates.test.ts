// The certificate library's own dependency injection needs it first.
import 'reflect-metadata';
import { execFile } from 'node:child_process';
import { webcrypto, X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import * as x509 from '@peculiar/x509';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { openAuthority } from '#libs/certificates/authority.ts';
import { type KeyPair, newKeys, toPem } from '#libs/certificates/keys.ts';
import { requestCertificate } from '#libs/certificates/request.ts';
import { createClient } from '#libs/grpc/client.ts';
import { PEER_NAME_METADATA } from '#libs/grpc/interceptors.ts';
import { service, startServer } from '#libs/grpc/server.ts';
import { readTls, type TlsFiles } from '#libs/grpc/tls.ts';
import { type Database, migrate, openDatabase } from '#libs/postgres/database.ts';
import {
  CertificateServiceDefinition,
  type JoinRequest,
  JoinServiceDefinition,
} from '#proto/drydock/internal/v1/auth.ts';
import { authorityKey, ensureCertificates } from '../../deploy/local/certificates.ts';
import { tlsOfExecutor } from '../../test/support/executor-tls.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { createCertificates, createJoin } from './certificates.ts';
import { createJoinToken } from './join-tokens.ts';
import { sweep } from './sweep.ts';

const log = pino({ level: 'silent' });
const MIGRATIONS = join(import.meta.dirname, '../../migrations/auth');
const DAY_MS = 86_400_000;

/** Auth as executors meet it: over TLS. */
const parts = new AsyncDisposableStack();
let directory: string;
let databaseUrl: string;
let db: Database;
let servers: Awaited<ReturnType<typeof startServer>>[];

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-join-'));
  parts.defer(() => rm(directory, { recursive: true }));
  await ensureCertificates(directory);
  databaseUrl = await parts.use(await startPostgres()).createDatabase();
  await migrate(databaseUrl, 'auth', MIGRATIONS, log);
  db = parts.use(openDatabase(databaseUrl, 'auth', log));
  const tls = readTls(directory, 'auth')!;
  const key = await readFile(authorityKey(directory), 'utf8');
  const authority = await openAuthority({ certificate: `${tls.ca}`, key });
  const issuer = { db, authority, lifetimeMs: DAY_MS, reviewToken: undefined };
  const options = { address: '127.0.0.1:0', log, tls };
  const joining = service(JoinServiceDefinition, createJoin(issuer));
  const renewing = service(CertificateServiceDefinition, createCertificates(issuer), { allow: ['executor'] });
  servers = [
    parts.use(await startServer({ ...options, services: [joining], authenticatesCallers: false })),
    parts.use(await startServer({ ...options, services: [renewing] })),
  ];
});
afterAll(() => parts.disposeAsync());
beforeEach(async () => {
  await db.query('delete from join_tokens');
  await db.query('delete from audit_log');
});

const addressOf = (index: number) => `127.0.0.1:${servers[index]!.port}`;
const tokenFor = async (id: string, minutes = 15) => (await createJoinToken(db, id, minutes)).token;
const csrOf = async (id: string, keys?: KeyPair) =>
  requestCertificate(keys ?? (await newKeys()), 'executor', `${id}.executor`);

async function joinWith(proof: JoinRequest['proof'], pkcs10: Uint8Array, now: Date | undefined = new Date()) {
  const { ca } = readTls(directory, 'auth')!;
  using client = createClient(JoinServiceDefinition, addressOf(0), { name: 'auth', tls: { ca } });
  return await client.join({ request: { pkcs10: Buffer.from(pkcs10), now }, proof }, { deadlineMs: 5_000 });
}
const joinBy = (token: string, pkcs10: Uint8Array, now?: Date) =>
  joinWith({ $case: 'joinToken', value: token }, pkcs10, now);

async function renewAs(tls: TlsFiles | Pick<TlsFiles, 'ca'>, pkcs10: Uint8Array, metadata = {}) {
  using client = createClient(CertificateServiceDefinition, addressOf(1), { name: 'auth', tls, metadata });
  return await client.renew({ request: { pkcs10: Buffer.from(pkcs10), now: new Date() } }, { deadlineMs: 2_000 });
}

/** The certificate of an executor that has joined. */
async function joined(id: string): Promise<TlsFiles> {
  const keys = await newKeys();
  const { certificate } = await joinBy(await tokenFor(id), await csrOf(id, keys));
  const { ca } = readTls(directory, 'auth')!;
  return { ca, certificate: Buffer.from(certificate), key: Buffer.from(await toPem(keys.privateKey)) };
}

const refusedFor = (problem: string) => ({ reason: 'CREDENTIAL_INVALID', details: { metadata: { problem } } });
const audited = () =>
  db.query<{ action: string; resource_id: string }>('select action, resource_id from audit_log order by id');

describe('a join token', () => {
  test('gives the executor that it was made for a certificate of a day, which names it and nobody else', async () => {
    const { ca, certificate } = await joined('one');
    const parsed = new X509Certificate(certificate);
    expect([parsed.subject, parsed.subjectAltName, parsed.ca]).toEqual(['CN=executor', 'DNS:one.executor', false]);
    expect(parsed.verify(new X509Certificate(ca).publicKey)).toBe(true);
    expect(Math.abs(parsed.validToDate.getTime() - Date.now() - DAY_MS)).toBeLessThan(60_000);
    expect(await audited()).toEqual([
      { action: 'CreateJoinToken', resource_id: 'one' },
      { action: 'IssueCertificate', resource_id: 'one' },
    ]);
  });

  test('is kept as its hash alone', async () => {
    const token = await tokenFor('one');
    const [row] = await db.query<{ text: string }>('select join_tokens::text as text from join_tokens');
    expect(token).toMatch(/^djt_[\w-]{43}$/);
    expect(row!.text).not.toContain(token.slice(4));
  });

  test('is good once; with the same key it is answered again, as where the answer was lost', async () => {
    const token = await tokenFor('one');
    const first = await csrOf('one');
    await joinBy(token, first);
    await joinBy(token, first);
    await expect(joinBy(token, await csrOf('one'))).rejects.toMatchObject(refusedFor('JOIN_TOKEN_USED'));
  });

  test('is good for one of those that use it at the same time', async () => {
    const token = await tokenFor('one');
    const requests = await Promise.all(Array.from({ length: 8 }, () => csrOf('one')));
    const results = await Promise.allSettled(requests.map((request) => joinBy(token, request)));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  test('that has expired, or that nobody made, is refused, and says which', async () => {
    const token = await tokenFor('one');
    await db.query(`update join_tokens set expire_time = now() - interval '1 second'`);
    const request = await csrOf('one');
    await expect(joinBy(token, request)).rejects.toMatchObject(refusedFor('JOIN_TOKEN_EXPIRED'));
    for (const unknown of [`${token.slice(0, -1)}!`, '', 'djt_', 'x'.repeat(10_000)])
      await expect(joinBy(unknown, request)).rejects.toMatchObject(refusedFor('JOIN_TOKEN_UNKNOWN'));
    await expect(joinWith(undefined, request)).rejects.toMatchObject(refusedFor('PROOF_MISSING'));
  });

  test('is forgotten a week after it expired', async () => {
    await tokenFor('one');
    const { signal } = new AbortController();
    await sweep(db, signal);
    expect(await db.query('select 1 from join_tokens')).toHaveLength(1);
    await db.query(`update join_tokens set expire_time = now() - interval '8 days'`);
    await sweep(db, signal);
    expect(await db.query('select 1 from join_tokens')).toEqual([]);
  });
});

test('the token of a ServiceAccount is refused where none is named', async () => {
  const proof = { $case: 'serviceAccountToken', value: 'a.b.c' } as const;
  await expect(joinWith(proof, await csrOf('one'))).rejects.toMatchObject(refusedFor('SERVICE_ACCOUNT_REFUSED'));
});

const EC = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const RSA = {
  name: 'RSASSA-PKCS1-v1_5',
  hash: 'SHA-256',
  modulusLength: 2048,
  publicExponent: new Uint8Array([1, 0, 1]),
};
type Asked = {
  name?: string;
  dns?: string[];
  ip?: string[];
  algorithm?: object;
  more?: x509.Extension[];
  attributes?: x509.Attribute[];
};

async function ask({ name = 'CN=executor', dns = ['one.executor'], ip = [], algorithm = EC, ...rest }: Asked) {
  const keys = (await webcrypto.subtle.generateKey(algorithm as typeof EC, true, ['sign', 'verify'])) as KeyPair;
  const names = [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ip.map((value) => ({ type: 'ip' as const, value })),
  ];
  const { more = [], attributes = [] } = rest;
  const extensions = [...(names.length > 0 ? [new x509.SubjectAlternativeNameExtension(names)] : []), ...more];
  const signingAlgorithm = algorithm as typeof EC;
  const request = await x509.Pkcs10CertificateRequestGenerator.create({
    name,
    keys,
    signingAlgorithm,
    extensions,
    attributes,
  });
  return Buffer.from(request.rawData);
}

/** The signature of another key over the same request. */
async function resigned() {
  const [one, two] = [await ask({}), await ask({})];
  const point = Buffer.from('06082a8648ce3d030107034200', 'hex');
  const at = (der: Buffer) => der.indexOf(point) + point.length;
  two.copy(one, at(one), at(two), at(two) + 65);
  return one;
}

describe('a request for a certificate is refused, and uses no token up, if', () => {
  test.each<[string, string, () => Promise<Uint8Array>]>([
    ['it names another executor', 'NAME', () => ask({ dns: ['two.executor'] })],
    ['it names another one besides', 'NAME', () => ask({ dns: ['one.executor', 'two.executor'] })],
    ['it names a service besides', 'NAME', () => ask({ dns: ['one.executor', 'gateway'] })],
    ['it names an address besides', 'NAME', () => ask({ ip: ['127.0.0.1'] })],
    ['it names nobody', 'NAME', () => ask({ dns: [] })],
    ['its subject is a service', 'NAME', () => ask({ name: 'CN=gateway' })],
    ['its subject has more', 'NAME', () => ask({ name: 'CN=executor, O=system:masters' })],
    ['its subject is there twice', 'NAME', () => ask({ name: 'CN=executor, CN=gateway' })],
    ['it wants to sign others', 'NAME', () => ask({ more: [new x509.BasicConstraintsExtension(true, 1, true)] })],
    ['it has other attributes', 'NAME', () => ask({ attributes: [new x509.ChallengePasswordAttribute('x')] })],
    ['its key is of RSA', 'KEY', () => ask({ algorithm: RSA })],
    ['its key is short', 'KEY', () => ask({ algorithm: { ...RSA, modulusLength: 1024 } })],
    ['its curve is none of ours', 'KEY', () => ask({ algorithm: { ...EC, namedCurve: 'P-521' } })],
    ['another key has signed it', 'SIGNATURE', resigned],
    ['it is nothing', 'MALFORMED', async () => Buffer.alloc(0)],
    ['it is something else', 'MALFORMED', async () => Buffer.from('-----BEGIN CERTIFICATE REQUEST-----')],
    ['it is cut off', 'MALFORMED', async () => (await ask({})).subarray(0, 100)],
    ['it is too large', 'MALFORMED', async () => Buffer.concat([await ask({}), Buffer.alloc(8 * 1024)])],
  ])('%s', async (_, problem, request) => {
    const token = await tokenFor('one');
    await expect(joinBy(token, await request())).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { metadata: { problem }, fields: [{ field: 'request.pkcs10' }] },
    });
    await joinBy(token, await csrOf('one'));
  });

  test.each([-180_000, 180_000])('the executor’s clock is %i ms off, which it is told', async (off) => {
    const token = await tokenFor('one');
    const request = await csrOf('one');
    await expect(joinBy(token, request, new Date(Date.now() + off))).rejects.toMatchObject({
      ...refusedFor('CLOCK_WRONG'),
      message: expect.stringMatching(/clock is -?1(79|80) s off/),
    });
    await joinBy(token, request);
  });
});

describe('a certificate', () => {
  test('is renewed for another key, with the same name', async () => {
    const one = await joined('one');
    const keys = await newKeys();
    const { certificate } = await renewAs(one, await csrOf('one', keys));
    const tls = { ...one, certificate: Buffer.from(certificate), key: Buffer.from(await toPem(keys.privateKey)) };
    expect(new X509Certificate(tls.certificate).subjectAltName).toBe('DNS:one.executor');
    await renewAs(tls, await csrOf('one'));
    expect((await audited()).at(-1)).toEqual({ action: 'RenewCertificate', resource_id: 'one' });
  });

  test('of one executor gives none of another', async () => {
    const one = await joined('one');
    const request = await csrOf('two');
    const refusal = { reason: 'INVALID_FIELD', details: { metadata: { problem: 'NAME' } } };
    await expect(renewAs(one, request)).rejects.toMatchObject(refusal);
    await expect(renewAs(one, request, { [PEER_NAME_METADATA]: 'DNS:two.executor' })).rejects.toMatchObject(refusal);
  });

  test('of a service, of no executor, or of none at all gives none', async () => {
    const request = await csrOf('one');
    for (const name of ['gateway', 'scheduler', 'session', 'auth'] as const)
      await expect(renewAs(readTls(directory, name)!, request), name).rejects.toMatchObject({
        reason: 'CALLER_FORBIDDEN',
      });
    const authority = await openAuthority({
      certificate: `${readTls(directory, 'auth')!.ca}`,
      key: await readFile(authorityKey(directory), 'utf8'),
    });
    for (const dns of [[], ['executor'], ['one.executor', 'two.executor'], ['one.executor.evil']]) {
      const { certificate, key } = await authority.issue('CN=executor', { dns });
      const tls = { ...readTls(directory, 'auth')!, certificate: Buffer.from(certificate), key: Buffer.from(key) };
      await expect(renewAs(tls, request), `${dns}`).rejects.toMatchObject({ reason: 'CALLER_FORBIDDEN' });
    }
    const { ca } = await tlsOfExecutor(directory, 'one');
    const away = { reason: expect.stringMatching(/SERVICE_UNAVAILABLE|DEADLINE_TOO_SHORT/) };
    await expect(renewAs({ ca }, request)).rejects.toMatchObject(away);
  });
});

describe('create-join-token.ts', () => {
  const run = (...args: string[]) =>
    promisify(execFile)(process.execPath, [join(import.meta.dirname, 'create-join-token.ts'), ...args], {
      env: { DATABASE_URL: databaseUrl },
    });

  test('prints a token for each executor', async () => {
    const { stdout } = await run('--minutes', '5', 'one', 'two');
    const made = stdout
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(made.map(({ executorId }) => executorId)).toEqual(['one', 'two']);
    expect(Math.abs(Date.parse(made[0].expireTime) - Date.now() - 300_000)).toBeLessThan(30_000);
    await joinBy(made[1].token, await csrOf('two'));
  });

  test('writes it into a file instead, which its owner alone reads', async () => {
    const { stdout } = await run('--directory', join(directory, 'tokens'), 'one');
    const { file } = JSON.parse(stdout);
    const token = await readFile(file, 'utf8');
    expect(stdout).not.toContain(token);
    expect((await stat(file)).mode & 0o077).toBe(0);
    await joinBy(token, await csrOf('one'));
  });

  test.each([
    [['One'], /the id of an executor needs 1 to 63 lower-case letters/],
    [['--minutes', '0', 'one'], /--minutes needs a whole number from 1 to 1440/],
    [[], /an executor id is needed/],
    [['--forever', 'one'], /Unknown option '--forever'/],
  ])('refuses %j and makes nothing', async (args, message) => {
    await expect(run(...args)).rejects.toMatchObject({ code: 2, stderr: expect.stringMatching(message) });
    expect(await db.query('select 1 from join_tokens')).toEqual([]);
  });
});
