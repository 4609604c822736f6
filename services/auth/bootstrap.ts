import { join } from 'node:path';
import { type Environment, readEnvironment } from '#libs/config.ts';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { migrate, openDatabase } from '#libs/postgres/database.ts';
import { insertKey } from './api-keys.ts';
import { audit } from './audit.ts';
import { insertOrganization, SCOPES } from './auth.ts';
import { isSecret, newSecret } from './secrets.ts';

const USAGE = `Makes the operator's organisation and its first API key, once.

  DATABASE_URL=… [OPERATOR_API_KEY=dk_…] node services/auth/bootstrap.ts

Prints one line of JSON: {"organizationId", "secret"}, or {"existing": true} where there is an organisation already.
The secret is not stored and is shown this once. With OPERATOR_API_KEY, "dk_" and 43 characters of A-Z a-z 0-9 _ -, that
is the key, and it is not shown.
`;

const OPERATOR_QUOTA = {
  concurrentSandboxes: 1_000,
  concurrentExecutions: 1_000,
  queuedExecutions: 1_000_000,
  queueWeight: 100,
  sharedPool: true,
  blobBytes: 1024 ** 4,
};

async function bootstrap(variables: Environment): Promise<object> {
  const env = readEnvironment(variables);
  const databaseUrl = env.string('DATABASE_URL');
  const given = env.optional('OPERATOR_API_KEY');
  env.check();
  // Not by `env`, which would say what it was.
  if (given && !isSecret(given)) throw new Error('OPERATOR_API_KEY is not "dk_" and 43 characters of A-Z a-z 0-9 _ -');
  const log = createLogger('bootstrap', { LOG_LEVEL: 'silent' });
  await migrate(databaseUrl, 'auth', join(import.meta.dirname, '../../migrations/auth'), log);
  await using db = openDatabase(databaseUrl, 'auth', log);
  return db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.bootstrap'))`);
    if ((await tx.query('select 1 from organizations limit 1')).length > 0) return { existing: true };
    const organizationId = newId('org');
    const secret = given ?? newSecret();
    await insertOrganization(tx, organizationId, 'operator', OPERATOR_QUOTA);
    await insertKey(tx, { organizationId, displayName: 'operator', scopes: SCOPES, secret });
    await audit(tx, { organizationId, apiKeyId: '' }, 'Bootstrap', organizationId);
    return { organizationId, ...(given ? {} : { secret }) };
  });
}

if (process.argv.length > 2) {
  process.stdout.write(USAGE);
  process.exitCode = process.argv.includes('--help') ? 0 : 2;
} else {
  process.stdout.write(`${JSON.stringify(await bootstrap(process.env))}\n`);
}
