import { chmod, mkdir, rename, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { readEnvironment } from '#libs/config.ts';
import { EXECUTOR_ID, EXECUTOR_ID_WORDS } from '#libs/executor-id.ts';
import { createLogger } from '#libs/log.ts';
import { migrate, openDatabase } from '#libs/postgres/database.ts';
import { createJoinToken, MAX_MINUTES } from './join-tokens.ts';

const USAGE = `Makes tokens with which executors join: each is good for one executor, once, for 15 minutes.

  DATABASE_URL=… node services/auth/create-join-token.ts [--minutes 15] [--directory <path>] <executor id>…

Prints a line of JSON for each: {"executorId", "token", "expireTime"}. With --directory the token is written into a file
of that directory instead, which bears the executor's id and which its owner alone reads, and the line has its "file". The
executor is given the path of such a file as EXECUTOR_JOIN_TOKEN_FILE. Tokens are not stored and are shown this once.
`;

type Made = { executorId: string; token: string; expireTime: Date };

async function main(): Promise<void> {
  const { minutes, directory, executorIds } = read(process.argv.slice(2));
  const env = readEnvironment(process.env);
  const databaseUrl = env.string('DATABASE_URL');
  env.check();
  const log = createLogger('create-join-token', { LOG_LEVEL: 'silent' });
  await migrate(databaseUrl, 'auth', join(import.meta.dirname, '../../migrations/auth'), log);
  await using db = openDatabase(databaseUrl, 'auth', log);
  for (const executorId of executorIds) {
    const made = { executorId, ...(await createJoinToken(db, executorId, minutes)) };
    process.stdout.write(`${JSON.stringify(directory ? await keep(directory, made) : made)}\n`);
  }
}

function read(args: string[]) {
  const options = { minutes: { type: 'string', default: '15' }, directory: { type: 'string' } } as const;
  const { values, positionals: executorIds } = parseArgs({ args, options, allowPositionals: true });
  const minutes = Number(values.minutes);
  if (!(Number.isInteger(minutes) && minutes >= 1 && minutes <= MAX_MINUTES))
    throw new Error(`--minutes needs a whole number from 1 to ${MAX_MINUTES}`);
  if (executorIds.length === 0) throw new Error('an executor id is needed');
  for (const id of executorIds)
    if (!EXECUTOR_ID.test(id)) throw new Error(`the id of an executor needs ${EXECUTOR_ID_WORDS}, not '${id}'`);
  return { minutes, directory: values.directory, executorIds };
}

async function keep(directory: string, { executorId, token, expireTime }: Made) {
  const file = join(directory, executorId);
  await mkdir(directory, { recursive: true });
  // Readers see the whole of it, and of an earlier one nothing.
  await writeFile(`${file}.new`, token, { mode: 0o600 });
  await chmod(`${file}.new`, 0o600);
  await rename(`${file}.new`, file);
  return { executorId, file, expireTime };
}

if (process.argv.includes('--help')) process.stdout.write(USAGE);
else
  await main().catch((error: Error) => {
    process.stderr.write(`${error.message}\n\n${USAGE}`);
    process.exitCode = 2;
  });
