import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { startNats } from '../../test/support/nats.ts';
import { startPostgres } from '../../test/support/postgres.ts';
import { startService } from '../../test/support/service-process.ts';
import { createAuthentication } from './authentication.ts';

const BOOTSTRAP = join(import.meta.dirname, '../auth/bootstrap.ts');
const WRONG = 10_000;
const newKey = () => `dk_${randomBytes(32).toString('base64url')}`;

test('a right key that nobody has asked about before is admitted behind 10,000 wrong ones', async () => {
  await using postgres = await startPostgres();
  await using nats = await startNats();
  const databaseUrl = await postgres.createDatabase();
  const right = newKey();
  await promisify(execFile)(process.execPath, [BOOTSTRAP], {
    env: { DATABASE_URL: databaseUrl, OPERATOR_API_KEY: right },
  });
  await using auth = startService('auth', {
    DATABASE_URL: databaseUrl,
    NATS_URL: nats.url,
    AUTH_ADDRESS: '127.0.0.1:0',
    AUTH_METRICS_ADDRESS: '127.0.0.1:0',
  });
  using credentials = createClient(CredentialServiceDefinition, `127.0.0.1:${await auth.listening}`);
  // The connection is there before the flood comes.
  await credentials.getKeySet({});
  const { authenticate } = createAuthentication({ credentials, revocationsKnown: () => true });
  const wrong = Array.from({ length: WRONG }, () => authenticate(`Bearer ${newKey()}`).catch(({ reason }) => reason));
  expect(await authenticate(`Bearer ${right}`)).toMatchObject({ scopes: expect.arrayContaining(['operator']) });
  expect(new Set(await Promise.all(wrong))).toEqual(new Set(['CREDENTIAL_INVALID']));
});
