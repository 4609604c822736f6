import { X509Certificate } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTls, type ServiceName } from '#libs/grpc/tls.ts';
import { tlsOfExecutor } from '../../test/support/executor-tls.ts';
import { directoryOfExecutors, ensureCertificates } from './certificates.ts';

let directory: string;
beforeAll(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'drydock-tls-')), 'tls');
});
afterAll(() => rm(join(directory, '..'), { recursive: true }));

const read = (name: ServiceName) => readTls(directory, name)!;

test('each service has a certificate with its own name, and no other name, and auth the key that signs more', async () => {
  await ensureCertificates(directory);
  for (const name of ['auth', 'session', 'scheduler', 'gateway'] as const) {
    const certificate = new X509Certificate(read(name).certificate);
    expect(certificate.subjectAltName).toBe(`DNS:${name}`);
    expect(certificate.verify(new X509Certificate(read(name).ca).publicKey)).toBe(true);
  }
  const own = new X509Certificate((await tlsOfExecutor(directory, 'one')).certificate);
  expect(own.verify(new X509Certificate(read('gateway').ca).publicKey)).toBe(true);
  for (const file of ['gateway-key.pem', 'nats-key.pem', 'authority-key.pem'])
    expect((await stat(join(directory, file))).mode & 0o077, file).toBe(0);
});

test('executors find the authority’s certificate, and no key', async () => {
  expect(await readdir(directoryOfExecutors(directory))).toEqual(['ca.pem']);
  expect(await readFile(join(directoryOfExecutors(directory), 'ca.pem'))).toEqual(read('gateway').ca);
});

test('they stay, and are made anew together where the authority’s key is missing', async () => {
  const before = read('gateway');
  await ensureCertificates(directory);
  expect(read('gateway')).toEqual(before);
  await rm(join(directory, 'authority-key.pem'));
  await ensureCertificates(directory);
  expect(read('gateway').ca).not.toEqual(before.ca);
  expect(await readFile(join(directoryOfExecutors(directory), 'ca.pem'))).toEqual(read('gateway').ca);
});
