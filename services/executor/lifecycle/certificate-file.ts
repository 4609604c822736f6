import { X509Certificate } from 'node:crypto';
import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { join } from 'node:path';
import { executorNamed } from '#libs/grpc/tls.ts';
import { missingFile } from '#libs/missing.ts';

const FILE = 'certificate.pem';

/** A certificate and its key, in PEM. */
export type Held = { certificate: Buffer; key: Buffer; notBefore: Date; notAfter: Date };

/** The certificate that an earlier process of this executor was given, if it is good now. */
export async function readCertificate(directory: string, executorId: string, ca: Buffer): Promise<Held | undefined> {
  const pem = await readFile(join(directory, FILE), 'utf8').catch(missingFile);
  const certificate = part(pem, 'CERTIFICATE');
  const key = part(pem, 'PRIVATE KEY');
  return certificate && key ? goodNow(certificate, key, executorId, ca) : undefined;
}

/** Writes both into one file, so that they belong to each other whenever they are read; for its owner alone. */
export async function writeCertificate(directory: string, { certificate, key }: Held): Promise<void> {
  const file = join(directory, FILE);
  await mkdir(directory, { recursive: true, mode: 0o700 });
  {
    await using handle = await open(`${file}.new`, 'w', 0o600);
    await handle.writeFile(`${certificate}\n${key}\n`);
    await handle.sync();
  }
  await rename(`${file}.new`, file);
}

/** Undefined unless the certificate is for this executor, signed by this authority, and valid now. */
export function goodNow(certificate: string, key: string, executorId: string, ca: Buffer): Held | undefined {
  const parsed = new X509Certificate(certificate);
  const { validFromDate: notBefore, validToDate: notAfter } = parsed;
  const now = Date.now();
  const isOurs = executorNamed(parsed.subjectAltName ?? '') === executorId;
  const isSigned = parsed.verify(new X509Certificate(ca).publicKey);
  if (!isOurs || !isSigned || now < notBefore.getTime() || now >= notAfter.getTime()) return undefined;
  return { certificate: Buffer.from(certificate), key: Buffer.from(key), notBefore, notAfter };
}

function part(pem: string | undefined, label: string): string | undefined {
  return pem && new RegExp(`-----BEGIN ${label}-----[^-]+-----END ${label}-----`).exec(pem)?.[0];
}
