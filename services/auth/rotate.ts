import { openDatabase } from '#libs/database.ts';
import { createLogger } from '#libs/log.ts';
import { rotateSigningKeys } from './signing-keys.ts';

const USAGE = `Makes a new key, which tokens are signed with from ten minutes on. Tokens signed before stay valid.

  DATABASE_URL=… node services/auth/rotate.ts
`;

const { DATABASE_URL } = process.env;
if (process.argv.length > 2 || !DATABASE_URL) {
  process.stdout.write(USAGE);
  process.exitCode = process.argv.includes('--help') ? 0 : 2;
} else {
  await using db = openDatabase(DATABASE_URL, 'auth', createLogger('rotate'));
  await rotateSigningKeys(db);
}
