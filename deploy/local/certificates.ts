import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { nameOfExecutor } from '#libs/grpc/tls.ts';
import { type Authority, createAuthority, endOf } from '../host/authority.ts';

const SERVICES = ['auth', 'session', 'scheduler', 'gateway'];
/** Where NATS is called: here, and in containers. */
const NATS_NAMES = { dns: ['nats', 'localhost'], ip: ['127.0.0.1'] };
const DAY_MS = 86_400_000;
const RENEW_DAYS = 30;

/**
 * An authority in a directory, and certificates that it signed: `ca.pem`, then `<name>.pem` and `<name>-key.pem` of every service
 * and of NATS; for each executor the same, with `ca.pem`, in a directory of its own. Made anew a month before they end, and for
 * an executor that has none.
 */
export async function ensureCertificates(directory: string, executorIds: readonly string[]): Promise<void> {
  if (await areValid(directory, executorIds)) return;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const ours = join(directory, 'ca.pem');
  await rm(ours, { force: true });
  const authority = await createAuthority('drydock development authority');
  for (const service of SERVICES) await issue(authority, directory, service, { dns: [service] });
  await issue(authority, directory, 'nats', NATS_NAMES);
  for (const id of executorIds) {
    const own = directoryOfExecutor(directory, id);
    await mkdir(own, { recursive: true, mode: 0o700 });
    await issue(authority, own, 'executor', { dns: [nameOfExecutor(id)] });
    await writeFile(join(own, 'ca.pem'), authority.certificate);
  }
  // Last: where it exists, everything exists. The authority's own key is not kept, so nobody can make more.
  await writeFile(ours, authority.certificate);
}

/** Where the certificate of an executor is: what its `TLS_DIR` says. */
export function directoryOfExecutor(directory: string, executorId: string): string {
  return join(directory, 'executors', executorId);
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

async function areValid(directory: string, executorIds: readonly string[]): Promise<boolean> {
  const file = join(directory, 'ca.pem');
  if (!existsSync(file) || !existsSync(join(directory, 'nats.pem'))) return false;
  const authority = await readFile(file, 'utf8');
  for (const id of executorIds) {
    const own = join(directoryOfExecutor(directory, id), 'ca.pem');
    if (!existsSync(own) || (await readFile(own, 'utf8')) !== authority) return false;
  }
  return endOf(authority).getTime() - Date.now() > RENEW_DAYS * DAY_MS;
}
