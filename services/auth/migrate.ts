import { join } from 'node:path';
import { readEnvironment } from '#libs/config.ts';
import { run } from '#libs/lifecycle.ts';
import { createLogger } from '#libs/log.ts';
import { migrate } from '#libs/postgres/database.ts';
import { untilReady } from '#libs/postgres/until-ready.ts';

// For deployments whose replicas have DATABASE_MIGRATIONS=await: brings the schema to the newest version, and ends.
const log = createLogger('auth-migrate');

await run(log, async (shutdown) => {
  const env = readEnvironment(process.env);
  const url = env.string('DATABASE_URL');
  env.check();
  const directory = join(import.meta.dirname, '../../migrations/auth');
  await untilReady(log, shutdown, () => migrate(url, 'auth', directory, log));
});
