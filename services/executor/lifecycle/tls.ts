import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { readTls, type Tls } from '#libs/grpc/tls.ts';
import type { Logger } from '#libs/log.ts';
import { openIdentity } from './identity.ts';

/** The part of the executor's configuration that says who it is to others. */
export type TlsConfig = {
  id: string;
  dataDirectory: string;
  tlsDirectory: string | undefined;
  joinAddress: string | undefined;
  authAddress: string;
  joinTokenFile: string | undefined;
  serviceAccountTokenFile: string | undefined;
};

/** The certificate that auth signs, or else that of `TLS_DIR`; undefined without a directory. Throws if joining fails. */
export async function openTls(
  config: TlsConfig,
  signal: AbortSignal,
  log: Logger,
): Promise<(AsyncDisposable & { tls: Tls }) | undefined> {
  const { tlsDirectory, joinAddress, authAddress, joinTokenFile, serviceAccountTokenFile } = config;
  if (!tlsDirectory) return undefined;
  if (!joinAddress) return { tls: readTls(tlsDirectory, 'executor')!, async [Symbol.asyncDispose]() {} };
  const ca = await readFile(join(tlsDirectory, 'ca.pem'));
  const addresses = { joinAddress, authAddress };
  const proofs = { joinTokenFile, serviceAccountTokenFile };
  const directory = join(config.dataDirectory, 'certificate');
  return openIdentity({ executorId: config.id, ca, directory, ...addresses, ...proofs, log }, signal);
}
