import { X509Certificate } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type Authority, createAuthority } from '#libs/certificates/authority.ts';

const SERVICES = ['auth', 'session', 'scheduler', 'gateway'];
/** Where NATS is called: here, and in containers. */
const NATS_NAMES = { dns: ['nats', 'localhost'], ip: ['127.0.0.1'] };
const DAY_MS = 86_400_000;
const RENEW_DAYS = 30;

/**
 * An authority in a directory, and certificates that it signed: `ca.pem`, then `<name>.pem` and `<name>-key.pem` of every service
 * and of NATS. Its key is kept for auth, which signs those of executors. Made anew a month before they end.
 */
export async function ensureCertificates(directory: string): Promise<void> {
  if (await areValid(directory)) return;
  await mkdir(directoryOfExecutors(directory), { recursive: true, mode: 0o700 });
  const ours = join(directory, 'ca.pem');
  await rm(ours, { force: true });
  const authority = await createAuthority('drydock development authority');
  for (const service of SERVICES) await issue(authority, directory, service, { dns: [service] });
  await issue(authority, directory, 'nats', NATS_NAMES);
  await writeFile(authorityKey(directory), authority.key, { mode: 0o600 });
  await writeFile(join(directoryOfExecutors(directory), 'ca.pem'), authority.certificate);
  // Last: where it exists, everything exists.
  await writeFile(ours, authority.certificate);
}

/** The `TLS_DIR` of executors: the authority's certificate alone. They have theirs from auth. */
export function directoryOfExecutors(directory: string): string {
  return join(directory, 'executors');
}

/** Where the authority's key is, which auth alone reads. */
export function authorityKey(directory: string): string {
  return join(directory, 'authority-key.pem');
}

async function issue(
  authority: Authority,
  directory: string,
  name: string,
  names: { dns: string[]; ip?: string[] },
): Promise<void> {
  const { certificate, key } = await authority.issue(`CN=${name}`, names);
  await writeFile(join(directory, `${name}.pem`), certificate);
  await writeFile(join(directory, `${name}-key.pem`), key, { mode: 0o600 });
}

async function areValid(directory: string): Promise<boolean> {
  const file = join(directory, 'ca.pem');
  const others = ['nats.pem', 'executors/ca.pem'].map((name) => join(directory, name));
  if (![file, authorityKey(directory), ...others].every(existsSync)) return false;
  const { validToDate } = new X509Certificate(await readFile(file));
  return validToDate.getTime() - Date.now() > RENEW_DAYS * DAY_MS;
}
