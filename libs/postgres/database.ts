import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import pg from 'pg';
import { DrydockError } from '#libs/errors.ts';
import type { Logger } from '#libs/log.ts';
import { isUnreachable } from '#libs/postgres/unreachable.ts';

const CONNECT_TIMEOUT_MS = 2_000;
const STATEMENT_TIMEOUT_MS = 10_000;
const RETRY_AFTER_MS = 1_000;
const MAX_CONNECTIONS = 10;

// Counts and sizes fit a double; ids are text.
pg.types.setTypeParser(pg.types.builtins.INT8, Number);

// biome-ignore lint/suspicious/noExplicitAny: a row is what its query says
type Row = any;

/** A pool or a transaction. */
export type Queryable = {
  /** Rows of one statement. Errors: SERVICE_UNAVAILABLE if the database cannot be reached. */
  query<T = Row>(sql: string, values?: unknown[]): Promise<T[]>;
};

export type Database = Queryable & {
  /**
   * The same with a statement that each connection plans once, which saves more than a millisecond. For frequent statements
   * that find their rows by a whole key: their plan does not depend on the size of the tables.
   */
  queryPrepared<T = Row>(sql: string, values: unknown[]): Promise<T[]>;
  /** Runs `work` in a transaction: committed when it resolves, rolled back when it throws. */
  transaction<T>(work: (tx: Queryable) => Promise<T>): Promise<T>;
};

/** A pool on one schema. It connects on first use, and again after an outage. */
export function openDatabase(url: string, schema: string, log: Logger): Database & AsyncDisposable {
  const pool = new pg.Pool({
    connectionString: url,
    max: MAX_CONNECTIONS,
    connectionTimeoutMillis: CONNECT_TIMEOUT_MS,
    statement_timeout: STATEMENT_TIMEOUT_MS,
    idle_in_transaction_session_timeout: STATEMENT_TIMEOUT_MS,
    // A plan cached while a table was small must not scan it later.
    options: `-c search_path=${schema} -c enable_seqscan=off`,
    application_name: `drydock-${schema}`,
    onConnect: (client) => takeRole(client, schema),
  });
  pool.on('error', (error) => log.warn({ err: error }, 'database connection lost'));
  return {
    query: (sql, values) => run(pool, sql, values),
    queryPrepared: (sql, values) => runPrepared(pool, sql, values),
    async transaction(work) {
      const client = await pool.connect().catch((error) => {
        throw explain(error);
      });
      let broken: Error | undefined;
      // A connection that drops between two statements emits an error, which would end a process without a listener.
      const onLost = (error: Error) => {
        broken = error;
      };
      client.on('error', onLost);
      try {
        await run(client, 'begin');
        const result = await work({ query: (sql, values) => run(client, sql, values) });
        await run(client, 'commit');
        return result;
      } catch (error) {
        await client.query('rollback').catch((cause) => {
          broken ??= cause;
        });
        throw error;
      } finally {
        client.off('error', onLost);
        client.release(broken);
      }
    },
    [Symbol.asyncDispose]: () => pool.end(),
  };
}

const roleOf = (schema: string) => `drydock_${schema}`;

/** Drops the connection's rights beyond its schema, if `migrate` has made the role for that. */
async function takeRole(client: pg.ClientBase, schema: string): Promise<void> {
  await client.query(
    `select set_config('role', rolname, false) from pg_roles where rolname = $1 and pg_has_role(rolname, 'member')`,
    [roleOf(schema)],
  );
}

async function run<T>(on: pg.Pool | pg.ClientBase, sql: string, values?: unknown[]): Promise<T[]> {
  try {
    return (await on.query(sql, values as never)).rows;
  } catch (error) {
    throw explain(error);
  }
}

const prepared = new Map<string, string>();
let namesGiven = 0;

async function runPrepared<T>(pool: pg.Pool, text: string, values: unknown[]): Promise<T[]> {
  const name = prepared.get(text) ?? `prepared_${++namesGiven}`;
  prepared.set(text, name);
  try {
    return (await pool.query<never>({ name, text, values })).rows;
  } catch (error) {
    if (!isOutdated(error)) throw explain(error);
    // Newer code has migrated the schema. By another name the statement is planned anew.
    prepared.delete(text);
    return run(pool, text, values);
  }
}

function isOutdated(error: unknown): boolean {
  return error instanceof pg.DatabaseError && /cached plan must not change/.test(error.message);
}

function explain(error: unknown): unknown {
  if (!isUnreachable(error)) return error;
  return new DrydockError('SERVICE_UNAVAILABLE', 'the database cannot be reached; try again', {
    retryAfterMs: RETRY_AFTER_MS,
    cause: error,
  });
}

const FILE_NAME = /^(\d{4})_[a-z0-9_]+\.sql$/;

/** A schema that is older than this code: `migrate` has to run. */
export class SchemaBehindError extends Error {
  override name = 'SchemaBehindError';
}

/**
 * Brings a schema to the newest version: files `NNNN_name.sql` in order, each in a transaction of its own, under a lock,
 * so that any number of replicas may start at once. Throws if newer code has already migrated the schema.
 * A superuser also makes a role for the schema, which `openDatabase` then takes.
 */
export async function migrate(url: string, schema: string, directory: string, log: Logger): Promise<void> {
  const files = await listMigrations(directory);
  const client = await connect(url);
  try {
    await client.query('select pg_advisory_lock(hashtext($1))', [`drydock.migrate.${schema}`]);
    await client.query(`create schema if not exists ${schema}`);
    await client.query(`set search_path = ${schema}`);
    await client.query(
      'create table if not exists migrations (version int primary key, applied_at timestamptz default now())',
    );
    const current = await versionOf(client, schema, files);
    for (const [index, name] of files.entries()) {
      const version = index + 1;
      if (version <= current) continue;
      await client.query('begin');
      // First, so that a migration that was applied already fails before it changes anything.
      await client.query('insert into migrations (version) values ($1)', [version]);
      await client.query(await readFile(join(directory, name), 'utf8'));
      await client.query('commit');
      log.info({ schema, version, file: name }, 'migrated');
    }
    await grantRole(client, schema);
  } finally {
    await client.end();
  }
}

/** Reads the version only. Throws `SchemaBehindError` if migrations are pending, and like `migrate` if newer code has migrated. */
export async function checkMigrated(url: string, schema: string, directory: string): Promise<void> {
  const files = await listMigrations(directory);
  const client = await connect(url);
  try {
    const { rows } = await client.query('select to_regclass($1) is not null as begun', [`${schema}.migrations`]);
    const current = rows[0].begun ? await versionOf(client, schema, files) : 0;
    if (current < files.length)
      throw new SchemaBehindError(`schema ${schema} is at version ${current} and not yet at ${files.length}`);
  } finally {
    await client.end();
  }
}

async function listMigrations(directory: string): Promise<string[]> {
  return (await readdir(directory)).filter((name) => FILE_NAME.test(name)).sort();
}

async function connect(url: string): Promise<pg.Client> {
  const client = new pg.Client({ connectionString: url, connectionTimeoutMillis: CONNECT_TIMEOUT_MS });
  // The statement that needed the connection throws; the event is redundant.
  client.on('error', () => {});
  await client.connect();
  return client;
}

async function versionOf(client: pg.Client, schema: string, files: string[]): Promise<number> {
  const { rows } = await client.query(`select coalesce(max(version), 0) as version from ${schema}.migrations`);
  const current = Number(rows[0].version);
  if (current > files.length)
    throw new Error(`schema ${schema} is at version ${current}, this code knows ${files.length}: run newer code`);
  return current;
}

/** Makes a role that may read and write this schema alone. Only a superuser can; other users keep their own rights. */
async function grantRole(client: pg.Client, schema: string): Promise<void> {
  const { rows } = await client.query('select rolsuper from pg_roles where rolname = current_user');
  if (!rows[0]?.rolsuper) return;
  const role = roleOf(schema);
  // Roles belong to the whole server; the lock above covers only one database.
  await client.query(
    `do $$ begin create role ${role} nologin; exception when duplicate_object or unique_violation then null; end $$`,
  );
  await client.query(`grant usage on schema ${schema} to ${role}`);
  await client.query(`grant select, insert, update, delete on all tables in schema ${schema} to ${role}`);
}
