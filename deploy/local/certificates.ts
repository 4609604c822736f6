// The certificate library's own dependency injection needs it first.
import 'reflect-metadata';
import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as x509 from '@peculiar/x509';

const SERVICES = ['auth', 'session', 'scheduler', 'executor', 'gateway'];
const ALGORITHM = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' };
const DAY_MS = 86_400_000;
const VALID_DAYS = 365;
const RENEW_DAYS = 30;

type KeyPair = Awaited<ReturnType<typeof crypto.subtle.generateKey>> & {
  privateKey: CryptoKey;
  publicKey: CryptoKey;
};

/** An authority and a certificate per service in a directory: `ca.pem`, `<service>.pem`, `<service>-key.pem`. Made anew a month before they end. */
export async function ensureCertificates(directory: string): Promise<void> {
  if (await areValid(directory)) return;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const keys = await newKeys();
  const authority = await x509.X509CertificateGenerator.createSelfSigned({
    name: 'CN=drydock development authority',
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
    ],
  });
  for (const service of SERVICES) {
    const own = await newKeys();
    const certificate = await x509.X509CertificateGenerator.create({
      subject: `CN=${service}`,
      issuer: authority.subject,
      publicKey: own.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: ALGORITHM,
      ...validity(),
      extensions: [
        new x509.BasicConstraintsExtension(false, undefined, true),
        new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage.serverAuth, x509.ExtendedKeyUsage.clientAuth]),
        new x509.SubjectAlternativeNameExtension([{ type: 'dns', value: service }]),
      ],
    });
    await writeFile(join(directory, `${service}.pem`), certificate.toString('pem'));
    await writeFile(join(directory, `${service}-key.pem`), await toPem(own.privateKey), { mode: 0o600 });
  }
  // Last: whoever finds it finds everything. The authority's own key is not kept, so nobody can make more.
  await writeFile(join(directory, 'ca.pem'), authority.toString('pem'));
}

async function areValid(directory: string): Promise<boolean> {
  const file = join(directory, 'ca.pem');
  if (!existsSync(file)) return false;
  const { notAfter } = new x509.X509Certificate(await readFile(file, 'utf8'));
  return notAfter.getTime() - Date.now() > RENEW_DAYS * DAY_MS;
}

function validity() {
  const now = Date.now();
  return {
    notBefore: new Date(now - DAY_MS),
    notAfter: new Date(now + VALID_DAYS * DAY_MS),
  };
}

async function newKeys(): Promise<KeyPair> {
  return (await crypto.subtle.generateKey(ALGORITHM, true, ['sign', 'verify'])) as KeyPair;
}

async function toPem(key: CryptoKey): Promise<string> {
  return x509.PemConverter.encode(await crypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY');
}
