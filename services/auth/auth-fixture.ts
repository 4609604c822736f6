import { join } from 'node:path';
import { Metadata } from 'nice-grpc-common';
import pino from 'pino';
import { afterAll, beforeAll, beforeEach } from 'vitest';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { newId } from '#libs/ids.ts';
import { type Database, migrate, openDatabase } from '#libs/postgres/database.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import {
  type AuthServiceDefinition,
  CreateApiKeyRequest,
  CreateOrganizationRequest,
  UpdateOrganizationRequest,
} from '#proto/drydock/v1/auth.ts';
import { type Postgres, startPostgres } from '../../test/support/postgres.ts';
import { createAuth, SCOPES } from './auth.ts';
import { createCredentials } from './credentials.ts';
import { hashSecret } from './secrets.ts';
import { openSigningKeys } from './signing-keys.ts';

const log = pino({ level: 'silent' });
const migrations = join(import.meta.dirname, '../../migrations/auth');

export const callOf = (caller: Caller): Call => ({
  caller,
  signal: new AbortController().signal,
  peer: '',
  metadata: new Metadata(),
});

export const operator = callOf({
  organizationId: newId('org'),
  apiKeyId: newId('key'),
  scopes: SCOPES,
  quota: undefined,
});

/** The first page, of the usual size. */
export const page = { pageSize: 0, pageToken: '' };

/** Auth on a PostgreSQL of the test file's own, with a database for each test, and what tests do with it most. */
export function useAuth() {
  let postgres: Postgres;
  let current: {
    db: Database & AsyncDisposable;
    auth: Rpc<AuthServiceDefinition>;
    credentials: Rpc<CredentialServiceDefinition>;
  };
  beforeAll(async () => {
    postgres = await startPostgres();
  });
  afterAll(() => postgres[Symbol.asyncDispose]());
  beforeEach(async () => {
    const url = await postgres.createDatabase();
    await migrate(url, 'auth', migrations, log);
    const db = openDatabase(url, 'auth', log);
    const signingKeys = await openSigningKeys(db);
    const auth = createAuth({ db, signingKeys, wakeRelay: () => {} });
    current = { db, auth, credentials: createCredentials({ db, signingKeys }) };
    return () => db[Symbol.asyncDispose]();
  });

  const db = whatIs(() => current.db);
  const auth = whatIs(() => current.auth);
  const credentials = whatIs(() => current.credentials);

  const createOrganization = (request: Partial<CreateOrganizationRequest> = {}, call = operator) =>
    auth.createOrganization(CreateOrganizationRequest.create({ displayName: 'Acme', ...request }), call);
  const updateOrganization = (organizationId: string, request: Partial<UpdateOrganizationRequest>, call = operator) =>
    auth.updateOrganization(UpdateOrganizationRequest.create({ organizationId, ...request }), call);
  const deleteOrganization = (organizationId: string, requestId = '', call = operator) =>
    auth.deleteOrganization({ organizationId, requestId }, call);
  const createApiKey = (call: Call, request: Partial<CreateApiKeyRequest> = {}) =>
    auth.createApiKey(CreateApiKeyRequest.create({ displayName: 'ci', ...request }), call);
  const revokeApiKey = (apiKeyId: string, call: Call, revokeDescendants = false) =>
    auth.revokeApiKey({ apiKeyId, revokeDescendants }, call);
  const authenticate = async (secret: string) => {
    const asked = { secretSha256s: [hashSecret(secret)] };
    return (await credentials.authenticateApiKeys(asked, operator)).holders[0]!;
  };

  return {
    db,
    auth,
    credentials,
    createOrganization,
    updateOrganization,
    deleteOrganization,
    createApiKey,
    revokeApiKey,
    authenticate,
    /** A new organisation, as its first key calls. */
    async tenant(concurrentSandboxes?: number) {
      const made = await createOrganization(concurrentSandboxes ? { quota: { concurrentSandboxes } } : {});
      return { ...made, call: callOf((await authenticate(made.secret)).caller!) };
    },
    /** A new key of the organisation that calls, as it calls itself. */
    async makeBy(call: Call) {
      const { apiKey, secret } = await createApiKey(call);
      return { id: apiKey!.id, apiKey: apiKey!, secret, call: callOf((await authenticate(secret)).caller!) };
    },
  };
}

/** Stands for what there is at the time of each use. */
function whatIs<T extends object>(current: () => T): T {
  return new Proxy({} as T, { get: (_, name) => Reflect.get(current(), name) });
}
