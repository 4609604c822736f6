import { readEnvironment } from '#libs/config.ts';
import { run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { openDatabase } from '#libs/postgres/database.ts';
import { rotateSigningKeys } from './signing-keys.ts';

const USAGE = `Makes a new key, which tokens are signed with from ten minutes on. Tokens signed before stay valid.

  DATABASE_URL=… node services/auth/rotate.ts
`;

if (process.argv.length > 2) {
  process.stdout.write(USAGE);
  process.exitCode = process.argv.includes('--help') ? 0 : 2;
} else {
  const log = createLogger('rotate');
  await run(log, async () => {
    const env = readEnvironment(process.env);
    const url = env.string('DATABASE_URL');
    env.check();
    await using db = openDatabase(url, 'auth', log);
    await rotateSigningKeys(db);
  });
}
