import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { openAuthority } from '#libs/certificates/authority.ts';
import { nameOfExecutor, type TlsFiles } from '#libs/grpc/tls.ts';
import { authorityKey } from '../../deploy/local/certificates.ts';

/** A certificate of an executor as auth signs it, by the authority in a directory of `ensureCertificates`. */
export async function tlsOfExecutor(directory: string, executorId: string): Promise<TlsFiles> {
  const ca = await readFile(join(directory, 'ca.pem'));
  const authority = await openAuthority({ certificate: `${ca}`, key: await readFile(authorityKey(directory), 'utf8') });
  const { certificate, key } = await authority.issue('CN=executor', { dns: [nameOfExecutor(executorId)] });
  return { ca, certificate: Buffer.from(certificate), key: Buffer.from(key) };
}
