import { existsSync } from 'node:fs';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { createAuthority, endOf } from './authority.ts';

const SERVICES = ['auth', 'session', 'scheduler', 'executor', 'gateway'];
const DAY_MS = 86_400_000;
const RENEW_DAYS = 30;

/** An authority and a certificate per service in a directory: `ca.pem`, `<service>.pem`, `<service>-key.pem`. Made anew a month before they end. */
export async function ensureCertificates(directory: string): Promise<void> {
  if (await areValid(directory)) return;
  await mkdir(directory, { recursive: true, mode: 0o700 });
  const authority = await createAuthority('drydock development authority');
  for (const service of SERVICES) {
    const { certificate, key } = await authority.issue(`CN=${service}`, { dns: [service] });
    await writeFile(join(directory, `${service}.pem`), certificate);
    await writeFile(join(directory, `${service}-key.pem`), key, { mode: 0o600 });
  }
  // Last: where it exists, everything exists. The authority's own key is not kept, so nobody can make more.
  await writeFile(join(directory, 'ca.pem'), authority.certificate);
}

async function areValid(directory: string): Promise<boolean> {
  const file = join(directory, 'ca.pem');
  if (!existsSync(file)) return false;
  return endOf(await readFile(file, 'utf8')).getTime() - Date.now() > RENEW_DAYS * DAY_MS;
}
