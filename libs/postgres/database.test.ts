import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pg from 'pg';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { checkMigrated, migrate, openDatabase } from '#libs/postgres/database.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';

const log = pino({ level: 'silent' });
let postgres: Postgres;
let directory: string;

beforeAll(async () => {
  postgres = await startPostgres();
  directory = await mkdtemp(join(tmpdir(), 'drydock-migrations-'));
  await writeFile(join(directory, '0001_first.sql'), 'create table things (id text primary key)');
});
afterAll(async () => {
  await postgres[Symbol.asyncDispose]();
  await rm(directory, { recursive: true });
});

async function opened() {
  const url = await postgres.createDatabase();
  await migrate(url, 'house', directory, log);
  return { url, db: openDatabase(url, 'house', log) };
}

test('of five who migrate at once, one does it and none fails', async () => {
  const url = await postgres.createDatabase();
  await Promise.all(Array.from({ length: 5 }, () => migrate(url, 'house', directory, log)));
  await using db = openDatabase(url, 'house', log);
  expect(await db.query('select version from migrations')).toEqual([{ version: 1 }]);
});

test('a migration that fails leaves nothing behind and can be mended', async () => {
  const url = await postgres.createDatabase();
  const broken = join(directory, '0002_broken.sql');
  await writeFile(broken, 'create table half (id int); select 1 / 0');
  await expect(migrate(url, 'house', directory, log)).rejects.toThrow('division by zero');
  await writeFile(broken, 'create table half (id int)');
  await migrate(url, 'house', directory, log);
  await using db = openDatabase(url, 'house', log);
  expect(await db.query('select version from migrations order by 1')).toEqual([{ version: 1 }, { version: 2 }]);
  await rm(broken);
});

test('a schema that newer code has migrated is refused', async () => {
  const { url, db } = await opened();
  await using _db = db;
  await db.query('insert into migrations (version) values (2)');
  await expect(migrate(url, 'house', directory, log)).rejects.toThrow('run newer code');
});

test('a schema is waited for until somebody has migrated all of it', async () => {
  const url = await postgres.createDatabase();
  const behind = { name: 'SchemaBehindError', message: 'schema house is at version 0 and not yet at 1' };
  await expect(checkMigrated(url, 'house', directory)).rejects.toMatchObject(behind);
  await migrate(url, 'house', directory, log);
  await checkMigrated(url, 'house', directory);
  const more = join(directory, '0002_more.sql');
  await writeFile(more, 'create table more (id int)');
  await expect(checkMigrated(url, 'house', directory)).rejects.toThrow('at version 1 and not yet at 2');
  await migrate(url, 'house', directory, log);
  await rm(more);
  await expect(checkMigrated(url, 'house', directory)).rejects.toThrow('run newer code');
});

test('a transaction that throws leaves nothing', async () => {
  await using db = (await opened()).db;
  const failing = db.transaction(async (tx) => {
    await tx.query(`insert into things values ('a')`);
    throw new Error('no');
  });
  await expect(failing).rejects.toThrow('no');
  expect(await db.query('select * from things')).toEqual([]);
});

test('a prepared statement outlives a migration by newer code', async () => {
  const { url, db } = await opened();
  await using _db = db;
  const newer = new pg.Client({ connectionString: url });
  await newer.connect();
  const find = () => db.queryPrepared('select * from things where id = $1', ['a']);
  await db.query('insert into things values ($1)', ['a']);
  expect(await find()).toEqual([{ id: 'a' }]);
  await newer.query('alter table house.things add column size int');
  expect(await find()).toEqual([{ id: 'a', size: null }]);
  expect(await find()).toEqual([{ id: 'a', size: null }]);
  await newer.end();
});

test('a statement that takes too long is ended', async () => {
  const { url, db } = await opened();
  await using _db = db;
  await using hurried = openDatabase(`${url}?statement_timeout=100`, 'house', log);
  await expect(hurried.query('select pg_sleep(10)')).rejects.toMatchObject({ reason: 'SERVICE_UNAVAILABLE' });
});

test('while PostgreSQL is away, callers hear when to try again; when it is back, they are served', async () => {
  await using db = (await opened()).db;
  const broken = db.transaction(async (tx) => {
    await tx.query(`insert into things values ('lost')`);
    await postgres.stop();
    await tx.query(`insert into things values ('never')`);
  });
  const unavailable = { reason: 'SERVICE_UNAVAILABLE', details: { retryAfterMs: 1000 } };
  await expect(broken).rejects.toMatchObject(unavailable);
  await expect(db.query('select 1')).rejects.toMatchObject(unavailable);
  await postgres.start();
  expect(await db.query('select * from things')).toEqual([]);
});

test('a service cannot reach the schema of another', async () => {
  const { url, db } = await opened();
  await using house = db;
  await migrate(url, 'garden', directory, log);
  await using garden = openDatabase(url, 'garden', log);
  await house.query(`insert into things values ('mine')`);
  expect(await garden.query('select * from things')).toEqual([]);
  await expect(garden.query('select * from house.things')).rejects.toThrow('permission denied for schema house');
  await expect(garden.query('create role intruder')).rejects.toThrow('permission denied');
});
