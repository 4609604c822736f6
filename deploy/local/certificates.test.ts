import { X509Certificate } from 'node:crypto';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { readTls, type ServiceName } from '#libs/grpc/tls.ts';
import { directoryOfExecutor, ensureCertificates } from './certificates.ts';

let directory: string;
beforeAll(async () => {
  directory = join(await mkdtemp(join(tmpdir(), 'drydock-tls-')), 'tls');
});
afterAll(() => rm(join(directory, '..'), { recursive: true }));

const ofExecutor = (id: string) => readTls(directoryOfExecutor(directory, id), 'executor')!;
const read = (name: ServiceName) => readTls(directory, name)!;
const nameIn = (certificate: Buffer) => new X509Certificate(certificate).subjectAltName;

test('each executor has a certificate with its own name, and no other name', async () => {
  await ensureCertificates(directory, ['one', 'two']);
  expect(nameIn(ofExecutor('one').certificate)).toBe('DNS:one.executor');
  expect(nameIn(ofExecutor('two').certificate)).toBe('DNS:two.executor');
  expect(nameIn(read('gateway').certificate)).toBe('DNS:gateway');
  for (const tls of [ofExecutor('one'), ofExecutor('two'), read('gateway')])
    expect(new X509Certificate(tls.certificate).verify(new X509Certificate(tls.ca).publicKey)).toBe(true);
  for (const file of ['gateway-key.pem', 'nats-key.pem', 'executors/one/executor-key.pem'])
    expect((await stat(join(directory, file))).mode & 0o077, file).toBe(0);
});

test('they stay for executors that have one, and are made anew together for one that has none', async () => {
  const before = read('gateway');
  await ensureCertificates(directory, ['one']);
  expect(read('gateway')).toEqual(before);
  await ensureCertificates(directory, ['one', 'three']);
  const authority = await readFile(join(directory, 'ca.pem'));
  expect(authority).not.toEqual(before.ca);
  for (const { ca } of [read('gateway'), ofExecutor('one'), ofExecutor('three')]) expect(ca).toEqual(authority);
});
