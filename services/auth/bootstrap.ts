import { join } from 'node:path';
import { migrate, openDatabase } from '#libs/database.ts';
import { newId } from '#libs/ids.ts';
import { createLogger } from '#libs/log.ts';
import { audit, insertKey, insertOrganization, SCOPES } from './auth.ts';
import { newSecret } from './secrets.ts';

const USAGE = `Makes the operator's organisation and its first API key, once.

  DATABASE_URL=… node services/auth/bootstrap.ts

Prints one line of JSON: {"organizationId", "secret"}, or {"existing": true} where there is an organisation already.
The secret is not stored and is shown this once.
`;

const OPERATOR_QUOTA = {
  concurrentSandboxes: 1_000,
  concurrentExecutions: 1_000,
  queuedExecutions: 1_000_000,
  queueWeight: 100,
};

async function bootstrap(databaseUrl: string): Promise<object> {
  const log = createLogger('bootstrap', 'silent');
  await migrate(databaseUrl, 'auth', join(import.meta.dirname, '../../migrations/auth'), log);
  await using db = openDatabase(databaseUrl, 'auth', log);
  return db.transaction(async (tx) => {
    await tx.query(`select pg_advisory_xact_lock(hashtext('drydock.bootstrap'))`);
    if ((await tx.query('select 1 from organizations limit 1')).length > 0) return { existing: true };
    const organizationId = newId('org');
    const secret = newSecret();
    await insertOrganization(tx, organizationId, 'operator', OPERATOR_QUOTA);
    await insertKey(tx, { organizationId, displayName: 'operator', scopes: SCOPES, secret });
    await audit(tx, { organizationId, apiKeyId: '' }, 'Bootstrap', organizationId);
    return { organizationId, secret };
  });
}

const { DATABASE_URL } = process.env;
if (process.argv.length > 2 || !DATABASE_URL) {
  process.stdout.write(USAGE);
  process.exitCode = process.argv.includes('--help') ? 0 : 2;
} else {
  process.stdout.write(`${JSON.stringify(await bootstrap(DATABASE_URL))}\n`);
}
