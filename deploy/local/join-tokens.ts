import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { readCertificate } from '../../services/executor/lifecycle/certificate-file.ts';
import { NODE, ROOT } from '../host/root.ts';

/** With less than this left of its certificate, an executor might not come to renew it. */
const LASTS_MS = 3_600_000;

export type Joining = {
  dataDirectory: string;
  tlsDirectory: string;
  /** Each with its own data directory. */
  executors: { id: string; directory: string }[];
};

/** Where an executor finds its token. */
export const joinTokenFile = (dataDirectory: string, executorId: string) =>
  join(directoryOf(dataDirectory), executorId);

const directoryOf = (dataDirectory: string) => join(dataDirectory, 'join-tokens');

/** Makes a token for each executor that has no certificate which lasts until it has renewed it. */
export async function makeJoinTokens(
  { dataDirectory, tlsDirectory, executors }: Joining,
  databaseUrl: string,
  signal?: AbortSignal,
) {
  const ca = await readFile(join(tlsDirectory, 'ca.pem'));
  const ids: string[] = [];
  for (const { id, directory } of executors) {
    const held = await readCertificate(join(directory, 'certificate'), id, ca);
    if (!held || held.notAfter.getTime() - Date.now() < LASTS_MS) ids.push(id);
  }
  if (ids.length === 0) return;
  const script = join(ROOT, 'services/auth/create-join-token.ts');
  await execa(NODE, [script, '--directory', directoryOf(dataDirectory), ...ids], {
    env: { DATABASE_URL: databaseUrl },
    ...(signal && { cancelSignal: signal }),
  });
}
