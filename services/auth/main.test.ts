import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import type { Client } from '#libs/grpc/rpc.ts';
import { connectEvents } from '#libs/nats/events.ts';
import { API_KEY_REVOKED } from '#libs/nats/subjects.ts';
import { type ApiKeyHolder, CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { ApiKeyRevoked } from '#proto/drydock/internal/v1/events.ts';
import { AuthServiceDefinition, CreateApiKeyRequest } from '#proto/drydock/v1/auth.ts';
import { type Nats, startNats } from '../../test/support/nats.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';
import { startService } from '../../test/support/service-process.ts';
import { hashSecret } from './secrets.ts';

const log = pino({ level: 'silent' });
let postgres: Postgres;
let nats: Nats;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
});
afterAll(async () => {
  await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

async function bootstrap(url: string, more: Record<string, string> = {}): Promise<Record<string, unknown>> {
  const script = join(import.meta.dirname, 'bootstrap.ts');
  const { stdout } = await promisify(execFile)(process.execPath, [script], {
    env: { DATABASE_URL: url, ...more },
  });
  expect(stdout.trimEnd()).not.toContain('\n');
  return JSON.parse(stdout);
}

const start = (url: string, more: Record<string, string> = {}) =>
  startService('auth', {
    DATABASE_URL: url,
    NATS_URL: nats.url,
    AUTH_ADDRESS: '127.0.0.1:0',
    AUTH_METRICS_ADDRESS: '127.0.0.1:0',
    ...more,
  });

async function holderOf(credentials: Client<CredentialServiceDefinition>, secret: string): Promise<ApiKeyHolder> {
  return (await credentials.authenticateApiKeys({ secretSha256s: [hashSecret(secret)] })).holders[0]!;
}

test('of two who bootstrap at once, one gets the secret; the next start finds it done', async () => {
  const url = await postgres.createDatabase();
  const answers = await Promise.all([bootstrap(url), bootstrap(url)]);
  expect(answers).toContainEqual({ existing: true });
  expect(answers).toContainEqual({
    organizationId: expect.stringMatching(/^org_/),
    secret: expect.stringMatching(/^dk_/),
  });
  expect(await bootstrap(url)).toEqual({ existing: true });
});

test("a key that is given is the operator's, and is told to nobody", async () => {
  const url = await postgres.createDatabase();
  await expect(bootstrap(url, { OPERATOR_API_KEY: 'dk_short' })).rejects.toThrow('OPERATOR_API_KEY is not');
  const secret = `dk_${'k'.repeat(43)}`;
  const made = await bootstrap(url, { OPERATOR_API_KEY: secret });
  expect(made).toEqual({ organizationId: expect.stringMatching(/^org_/) });
  await using auth = start(url);
  using credentials = createClient(CredentialServiceDefinition, `127.0.0.1:${await auth.listening}`);
  const { caller } = await holderOf(credentials, secret);
  expect(caller).toMatchObject({ organizationId: made.organizationId, scopes: expect.arrayContaining(['operator']) });
});

test('a replica that is to wait for its schema starts once that has been migrated', async () => {
  const url = await postgres.createDatabase();
  await using auth = start(url, { DATABASE_MIGRATIONS: 'await' });
  await auth.logged('waiting for the database');
  await bootstrap(url);
  expect(await auth.listening).toBeGreaterThan(0);
});

test('it starts before its database and NATS, and a revocation that it took while NATS was away is told later', async () => {
  const url = await postgres.createDatabase();
  const { secret } = await bootstrap(url);
  await Promise.all([postgres.stop(), nats.stop()]);
  await using auth = start(url);
  await auth.logged('waiting for the database');
  await postgres.start();
  const address = `127.0.0.1:${await auth.listening}`;
  using credentials = createClient(CredentialServiceDefinition, address);
  using keys = createClient(AuthServiceDefinition, address);
  const { caller } = await holderOf(credentials, secret as string);
  const { apiKey } = await keys.createApiKey(CreateApiKeyRequest.create({ displayName: 'short-lived' }), { caller });
  await keys.revokeApiKey({ apiKeyId: apiKey!.id, revokeDescendants: false }, { caller });

  await nats.start();
  await using events = connectEvents({ url: nats.url, name: 'gateway', log });
  const told: ApiKeyRevoked[] = [];
  const handle = async (event: ApiKeyRevoked) => told.push(event);
  await using _consumer = events.consumeDurable(API_KEY_REVOKED, { durable: 'test', handle });
  await expect
    .poll(() => told, { timeout: 10_000 })
    .toEqual([{ apiKeyId: apiKey!.id, organizationId: caller!.organizationId }]);
  expect(await auth.stop()).toBe(0);
});
