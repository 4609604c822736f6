import { randomBytes } from 'node:crypto';
import { chmod, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import * as local from '../../deploy/local/postgres.ts';
import { freePort } from './ports.ts';

export type Postgres = {
  /** Makes an empty database and answers with its URL. */
  createDatabase(): Promise<string>;
  /** Ends the server as a crash would. */
  stop(): Promise<void>;
  /** Starts it again on the same port, with the same data. */
  start(): Promise<void>;
} & AsyncDisposable;

/** A PostgreSQL server of its own on a free port. Disposing ends it and removes its data. */
export async function startPostgres(): Promise<Postgres> {
  const port = await freePort();
  const dataDirectory = await mkdtemp(join(tmpdir(), 'drydock-postgres-'));
  // PostgreSQL's own user passes through.
  await chmod(dataDirectory, 0o755);
  const options = { dataDirectory, runDirectory: join(dataDirectory, 'run'), port, settings: ['fsync=off'] };
  let server: local.Postgres | undefined;
  const start = async () => {
    server = await local.startPostgres(options);
  };
  const stop = async () => {
    await server?.stop('SIGQUIT');
    server = undefined;
  };
  // A test run that is broken off does not come to dispose of it.
  const onExit = () => void (server && process.kill(server.pid, 'SIGQUIT'));
  process.once('exit', onExit);
  await start();
  const urlOf = (database: string) => {
    const url = new URL(server!.url);
    url.pathname = `/${database}`;
    return url.toString();
  };
  return {
    async createDatabase() {
      const name = `test_${randomBytes(6).toString('hex')}`;
      const client = new pg.Client(urlOf('postgres'));
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return urlOf(name);
    },
    start,
    stop,
    async [Symbol.asyncDispose]() {
      process.off('exit', onExit);
      await stop();
      await rm(dataDirectory, { recursive: true, force: true });
    },
  };
}
