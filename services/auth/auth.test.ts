import { createLocalJWKSet, jwtVerify } from 'jose';
import { describe, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { API_KEY_REVOKED, ORGANIZATION_CHANGED, ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ApiKeyRevoked, OrganizationChanged, OrganizationDeleted } from '#proto/drydock/internal/v1/events.ts';
import type { CreateOrganizationRequest, UpdateOrganizationRequest } from '#proto/drydock/v1/auth.ts';
import { SCOPES } from './auth.ts';
import { callOf, operator, page, useAuth } from './auth-fixture.ts';
import { ISSUER, openSigningKeys, rotateSigningKeys } from './signing-keys.ts';

const {
  auth,
  credentials,
  db,
  tenant,
  authenticate,
  createOrganization,
  updateOrganization,
  deleteOrganization,
  createApiKey,
  revokeApiKey,
} = useAuth();

describe('an API key', () => {
  test('is shown once and kept as a hash', async () => {
    const { secret, apiKey, organization, call } = await tenant(7);
    expect(secret).toMatch(/^dk_[\w-]{43}$/);
    expect(call.caller).toEqual({
      organizationId: organization!.id,
      apiKeyId: apiKey!.id,
      scopes: ['sandboxes', 'executions', 'keys'],
      quota: {
        concurrentSandboxes: 7,
        concurrentExecutions: 16,
        queuedExecutions: 100_000,
        queueWeight: 100,
        sharedPool: true,
        blobBytes: 10 * 1024 ** 3,
      },
    });
    for (const table of ['organizations', 'api_keys', 'requests', 'audit_log', 'outbox', 'signing_keys'])
      expect(JSON.stringify(await db.query(`select t::text from ${table} t`))).not.toContain(secret.slice(3));
    expect(JSON.stringify(await auth.listApiKeys(page, call))).not.toContain(secret.slice(3));
  });

  test.each(['', 'dk_', 'nonsense', `dk_${'A'.repeat(43)}`, `dk_${'A'.repeat(42)}\0`, 'x'.repeat(100_000)])(
    'that does not exist is refused, case %#',
    async (secret) => {
      expect((await authenticate(secret)).caller).toBeUndefined();
    },
  );

  test('has at most the scopes of its maker', async () => {
    const { call } = await tenant();
    expect((await createApiKey(call)).apiKey!.scopes).toEqual(['sandboxes', 'executions', 'keys']);
    const narrow = await createApiKey(call, { scopes: ['executions', 'executions'] });
    expect(narrow.apiKey!.scopes).toEqual(['executions']);
    for (const scopes of [['operator'], ['nonsense'], ['']])
      await expect(createApiKey(call, { scopes })).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
    const { caller } = await authenticate(narrow.secret);
    const missing = { reason: 'SCOPE_MISSING', details: { metadata: { scope: 'keys' } } };
    await expect(createApiKey(callOf(caller!))).rejects.toMatchObject(missing);
    await expect(auth.listApiKeys(page, callOf(caller!))).rejects.toMatchObject(missing);
    await expect(revokeApiKey(narrow.apiKey!.id, callOf(caller!))).rejects.toMatchObject(missing);
  });

  test('that is revoked opens nothing, and an event tells of it in the same transaction', async () => {
    const { call } = await tenant();
    const { apiKey, secret } = await createApiKey(call);
    const { caller } = await authenticate(secret);
    await revokeApiKey(apiKey!.id, call);
    expect((await authenticate(secret)).caller).toBeUndefined();
    await expect(auth.exchangeToken({}, callOf(caller!))).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
    const outbox = await db.query<{ subject: string; payload: Buffer }>('select * from outbox');
    expect(outbox.map(({ subject, payload }) => [subject, ApiKeyRevoked.decode(payload)])).toEqual([
      [API_KEY_REVOKED.subject, { apiKeyId: apiKey!.id, organizationId: call.caller!.organizationId }],
    ]);
    const { apiKeys } = await auth.listApiKeys(page, call);
    expect(apiKeys.find(({ id }) => id === apiKey!.id)!.revokeTime).toBeInstanceOf(Date);
  });

  test('that is revoked again, also at the same moment, stays as it was, and that is told and recorded once', async () => {
    const { call } = await tenant();
    const { id } = (await createApiKey(call)).apiKey!;
    const revokeTime = async () =>
      (await auth.listApiKeys(page, call)).apiKeys.find((key) => key.id === id)!.revokeTime;
    await Promise.all(Array.from({ length: 5 }, () => revokeApiKey(id, call)));
    const first = await revokeTime();
    await revokeApiKey(id, call);
    expect(await revokeTime()).toEqual(first);
    expect(await db.query('select subject from outbox')).toEqual([{ subject: API_KEY_REVOKED.subject }]);
    expect(await db.query(`select resource_id from audit_log where action = 'RevokeApiKey'`)).toEqual([
      { resource_id: id },
    ]);
  });

  test('of another organisation is answered like one that does not exist', async () => {
    const owner = await tenant();
    const stranger = await tenant();
    const ids = [owner.apiKey!.id, newId('key'), '', 'key_\0', "' or true --", 'x'.repeat(100_000)];
    for (const apiKeyId of ids)
      await expect(revokeApiKey(apiKeyId, stranger.call)).rejects.toMatchObject({
        reason: 'API_KEY_NOT_FOUND',
        message: 'no such API key',
      });
    expect((await authenticate(owner.secret)).caller).toBeDefined();
    expect((await auth.listApiKeys(page, stranger.call)).apiKeys.map(({ id }) => id)).toEqual([stranger.apiKey!.id]);
  });
});

describe('an organisation', () => {
  test('is made, changed and deleted by the operator alone', async () => {
    const { call } = await tenant();
    const other = (await tenant()).organization!.id;
    for (const refused of [
      createOrganization({}, call),
      auth.listOrganizations(page, call),
      updateOrganization(other, { displayName: 'mine' }, call),
      deleteOrganization(other, '', call),
    ])
      await expect(refused).rejects.toMatchObject({
        reason: 'SCOPE_MISSING',
        details: { metadata: { scope: 'operator' } },
      });
  });

  test('sees itself, the operator sees every one', async () => {
    const { organization, call } = await tenant(3);
    const other = await tenant();
    const organizationId = organization!.id;
    const expected = { organization: { id: organizationId, displayName: 'Acme', quota: { concurrentSandboxes: 3 } } };
    expect(await auth.getOrganization({ organizationId }, call)).toMatchObject(expected);
    expect(await auth.getOrganization({ organizationId }, operator)).toMatchObject(expected);
    for (const id of [organizationId, newId('org'), '', 'org_\0'])
      await expect(auth.getOrganization({ organizationId: id }, other.call)).rejects.toMatchObject({
        reason: 'ORGANIZATION_NOT_FOUND',
        message: 'no such organisation',
      });
    await expect(auth.getOrganization({ organizationId: 'org_\0' }, operator)).rejects.toMatchObject({
      reason: 'ORGANIZATION_NOT_FOUND',
    });
  });

  test.each<[string, Partial<CreateOrganizationRequest>, string]>([
    ['without a name', { displayName: '' }, 'displayName'],
    ['with a long name', { displayName: 'n'.repeat(129) }, 'displayName'],
    ['with a NUL in its name', { displayName: 'a\0' }, 'displayName'],
    ['with a long request id', { requestId: 'r'.repeat(129) }, 'requestId'],
    ['with a quota of nothing', { quota: { concurrentSandboxes: 0 } }, 'quota.concurrentSandboxes'],
    ['with a negative quota', { quota: { concurrentSandboxes: -1 } }, 'quota.concurrentSandboxes'],
    ['with too large a quota', { quota: { concurrentSandboxes: 100_001 } }, 'quota.concurrentSandboxes'],
    ['with a weight of nothing', { quota: { queueWeight: 0 } }, 'quota.queueWeight'],
    ['with a queue of nothing', { quota: { queuedExecutions: 0 } }, 'quota.queuedExecutions'],
  ])('is refused %s', async (_, request, field) => {
    await expect(createOrganization(request)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field }] },
    });
  });

  test('comes in pages', async () => {
    const made = new Set<string>();
    for (let i = 0; i < 5; i++) made.add((await createOrganization()).organization!.id);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const answer = await auth.listOrganizations({ pageSize: 2, pageToken }, operator);
      expect(answer.organizations.length).toBeLessThanOrEqual(2);
      seen.push(...answer.organizations.map(({ id }) => id));
      pageToken = answer.nextPageToken;
    } while (pageToken);
    expect(seen).toEqual([...made].sort().reverse());
  });
});

describe('a change of an organisation', () => {
  test('leaves what it does not name as it was, and keys know of it at once', async () => {
    const { organization, secret } = await tenant(7);
    const { id, quota } = organization!;
    const changed = await updateOrganization(id, { quota: { sharedPool: false, queueWeight: 50 } });
    const expected = { ...quota, sharedPool: false, queueWeight: 50 };
    expect(changed.organization).toEqual({ ...organization, quota: expected });
    expect((await authenticate(secret)).caller!.quota).toEqual(expected);
    const renamed = await updateOrganization(id, { displayName: 'Ajax' });
    expect(renamed.organization).toMatchObject({ displayName: 'Ajax', quota: expected });
    const masked = { displayName: 'not this', quota: { concurrentSandboxes: 8 }, updateMask: ['quota'] };
    expect((await updateOrganization(id, masked)).organization).toMatchObject({
      displayName: 'Ajax',
      quota: { ...expected, concurrentSandboxes: 8 },
    });
    const outbox = 'select payload from outbox where subject = $1 order by position';
    const rows = await db.query<{ payload: Buffer }>(outbox, [ORGANIZATION_CHANGED.subject]);
    const told = rows.map(({ payload }) => OrganizationChanged.decode(payload));
    expect(told).toMatchObject([
      { organizationId: id, quota: expected },
      { organizationId: id, quota: expected },
      { organizationId: id, quota: { ...expected, concurrentSandboxes: 8 } },
    ]);
    const times = told.map(({ changeTime }) => changeTime!.getTime());
    expect(times).toEqual(times.toSorted((a, b) => a - b));
  });

  test.each<[string, Partial<UpdateOrganizationRequest>, string]>([
    ['of nothing', {}, 'updateMask'],
    ['of another field', { updateMask: ['id'] }, 'updateMask'],
    ['to no name', { updateMask: ['display_name'] }, 'displayName'],
    ['to a long name', { displayName: 'n'.repeat(129) }, 'displayName'],
    ['to no quota', { updateMask: ['quota'] }, 'quota'],
    ['to a quota of nothing', { quota: { concurrentSandboxes: 0 } }, 'quota.concurrentSandboxes'],
    ['to too large a weight', { quota: { queueWeight: 10_001 } }, 'quota.queueWeight'],
    ['with a long request id', { displayName: 'n', requestId: 'r'.repeat(129) }, 'requestId'],
  ])('is refused %s', async (_, request, field) => {
    const { organization } = await tenant();
    await expect(updateOrganization(organization!.id, request)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field }] },
    });
  });

  test.each([newId('org'), '', 'org_\0'])('is refused of one that does not exist, %j', async (id) => {
    const unknown = { reason: 'ORGANIZATION_NOT_FOUND' };
    await expect(updateOrganization(id, { displayName: 'n' })).rejects.toMatchObject(unknown);
    await expect(deleteOrganization(id)).rejects.toMatchObject(unknown);
  });
});

describe('an organisation that is deleted', () => {
  test('answers as if it did not exist, and deleting it again succeeds', async () => {
    const { organization, call } = await tenant();
    const kept = (await tenant()).organization!;
    const { id } = organization!;
    await deleteOrganization(id, 'r');
    await deleteOrganization(id, 'r');
    await deleteOrganization(id);
    const unknown = { reason: 'ORGANIZATION_NOT_FOUND' };
    await expect(auth.getOrganization({ organizationId: id }, operator)).rejects.toMatchObject(unknown);
    await expect(auth.getOrganization({ organizationId: id }, call)).rejects.toMatchObject(unknown);
    await expect(updateOrganization(id, { displayName: 'n' })).rejects.toMatchObject(unknown);
    expect((await auth.listOrganizations(page, operator)).organizations).toEqual([kept]);
    await expect(deleteOrganization(kept.id, 'r')).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
  });

  test('has no key that works and makes none, and one event tells of all', async () => {
    const { organization, secret, call } = await tenant();
    const { id } = organization!;
    const second = await createApiKey(call);
    await revokeApiKey(second.apiKey!.id, call);
    const third = await createApiKey(call);
    await db.query('delete from outbox');
    await deleteOrganization(id);
    await deleteOrganization(id);
    // Of a call that was let in before.
    await expect(createApiKey(call)).rejects.toMatchObject({
      reason: 'CREDENTIAL_INVALID',
      message: 'the organisation was deleted',
    });
    for (const each of [secret, second.secret, third.secret]) expect((await authenticate(each)).caller).toBeUndefined();
    await expect(auth.exchangeToken({}, call)).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
    const outbox = await db.query<{ subject: string; payload: Buffer }>('select * from outbox order by position');
    expect(outbox.map(({ subject, payload }) => [subject, OrganizationDeleted.decode(payload)])).toEqual([
      [ORGANIZATION_DELETED.subject, { organizationId: id }],
    ]);
  });

  test("is never the caller's own", async () => {
    const { secret, organization } = await tenant();
    await db.query(`update api_keys set scopes = $1`, [SCOPES]);
    const { caller } = await authenticate(secret);
    await expect(deleteOrganization(organization!.id, '', callOf(caller!))).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field: 'organizationId' }] },
    });
    expect((await authenticate(secret)).caller).toBeDefined();
  });
});

describe('a repeated request', () => {
  test('changes an organisation once, and with other content is refused', async () => {
    const { organization } = await tenant();
    const { id } = organization!;
    await updateOrganization(id, { displayName: 'first', requestId: 'r' });
    await updateOrganization(id, { displayName: 'second' });
    const again = await updateOrganization(id, { displayName: 'first', requestId: 'r' });
    expect(again.organization).toMatchObject({ displayName: 'second' });
    await expect(updateOrganization(id, { displayName: 'third', requestId: 'r' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });

  test('of ten at once makes one organisation, and one answer has the secret', async () => {
    const answers = await Promise.all(Array.from({ length: 10 }, () => createOrganization({ requestId: 'r' })));
    expect(new Set(answers.map(({ organization }) => organization!.id)).size).toBe(1);
    expect(new Set(answers.map(({ apiKey }) => apiKey!.id)).size).toBe(1);
    expect(answers.filter(({ secret }) => secret)).toHaveLength(1);
    expect((await auth.listOrganizations(page, operator)).organizations).toHaveLength(1);
  });

  test('is not for requests of two kinds, though their content be alike', async () => {
    const alike = { displayName: 'twin', requestId: 'twin' };
    await auth.createOrganization({ ...alike, quota: undefined }, operator);
    await expect(createApiKey(operator, alike)).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
  });

  test('makes one key, and with other content is refused', async () => {
    const { call } = await tenant();
    const first = await createApiKey(call, { requestId: 'r' });
    const second = await createApiKey(call, { requestId: 'r' });
    expect(second).toEqual({ apiKey: first.apiKey, secret: '' });
    for (const other of [{ displayName: 'other' }, { scopes: ['keys'] }])
      await expect(createApiKey(call, { requestId: 'r', ...other })).rejects.toMatchObject({
        reason: 'REQUEST_ID_REUSED',
      });
    const { call: stranger } = await tenant();
    expect((await createApiKey(stranger, { requestId: 'r', displayName: 'mine' })).secret).not.toBe('');
  });
});

describe('a token', () => {
  const keySet = async () => createLocalJWKSet(JSON.parse((await credentials.getKeySet({}, operator)).json));

  test('says whose it is for fifteen minutes, and is verified with the public keys alone', async () => {
    const { call } = await tenant(9);
    const { token, expireTime } = await auth.exchangeToken({}, call);
    const { payload, protectedHeader } = await jwtVerify(token, await keySet(), {
      issuer: ISSUER,
      algorithms: ['EdDSA'],
    });
    const { organizationId, apiKeyId, scopes } = call.caller!;
    expect(payload).toMatchObject({ sub: organizationId, key: apiKeyId, scopes, quota: call.caller!.quota });
    expect(payload.exp! - payload.iat!).toBe(900);
    expect(expireTime!.getTime()).toBe(payload.exp! * 1000);
    expect(protectedHeader.alg).toBe('EdDSA');
    expect((await credentials.getKeySet({}, operator)).json).not.toMatch(/"d"/);
  });

  test('that was changed is refused', async () => {
    const { call } = await tenant();
    const [header, payload, signature] = (await auth.exchangeToken({}, call)).token.split('.');
    const claims = JSON.parse(Buffer.from(payload!, 'base64url').toString());
    const forged = Buffer.from(JSON.stringify({ ...claims, scopes: SCOPES })).toString('base64url');
    await expect(jwtVerify(`${header}.${forged}.${signature}`, await keySet())).rejects.toThrow();
  });

  test('stays valid when the signing key is changed, also with several replicas', async () => {
    const { call } = await tenant();
    const token = async () => (await auth.exchangeToken({}, call)).token;
    const kidOf = async (token: string) => (await jwtVerify(token, await keySet())).protectedHeader.kid!;
    const pass = () => db.query(`update signing_keys set create_time = create_time - interval '1 hour'`);
    const first = await token();
    const old = await kidOf(first);
    await pass();
    await Promise.all([openSigningKeys(db), openSigningKeys(db), rotateSigningKeys(db)]);
    expect(JSON.parse((await credentials.getKeySet({}, operator)).json).keys).toHaveLength(2);
    expect(await kidOf(await token())).toBe(old);
    await pass();
    const current = await kidOf(await token());
    expect(current).not.toBe(old);
    expect(await kidOf(first)).toBe(old);
    await rotateSigningKeys(db);
    const rows = await db.query<{ id: string }>('select id from signing_keys');
    expect(rows.map(({ id }) => id)).not.toContain(old);
    expect(rows.map(({ id }) => id)).toContain(current);
  });
});

test('changes are in the audit log, with the key that made them', async () => {
  const { call, organization } = await tenant();
  const { apiKey } = await createApiKey(call);
  await revokeApiKey(apiKey!.id, call);
  await updateOrganization(organization!.id, { displayName: 'Ajax' });
  await deleteOrganization(organization!.id);
  expect(await db.query('select organization_id, api_key_id, action, resource_id from audit_log order by id')).toEqual(
    [
      ['CreateOrganization', operator.caller!, organization!.id],
      ['CreateApiKey', call.caller!, apiKey!.id],
      ['RevokeApiKey', call.caller!, apiKey!.id],
      ['UpdateOrganization', operator.caller!, organization!.id],
      ['DeleteOrganization', operator.caller!, organization!.id],
    ].map(([action, caller, resource_id]) => {
      const { organizationId, apiKeyId } = caller as Caller;
      return { organization_id: organizationId, api_key_id: apiKeyId, action, resource_id };
    }),
  );
});
