import { describe, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import { ApiKeyRevoked } from '#proto/drydock/internal/v1/events.ts';
import { callOf, useAuth } from './auth-fixture.ts';

const { auth, db, tenant, authenticate, createApiKey, revokeApiKey, makeBy } = useAuth();

describe('an API key that expires', () => {
  const later = (ms: number) => new Date(Date.now() + ms);

  test('opens nothing from then on, by itself or by a token', async () => {
    const { call } = await tenant();
    const expireTime = later(300_000);
    const made = await createApiKey(call, { expireTime });
    expect(made.apiKey).toMatchObject({ expireTime });
    const { caller, expireTime: told } = await authenticate(made.secret);
    expect(told).toEqual(expireTime);
    const token = await auth.exchangeToken({}, callOf(caller!));
    expect(token.expireTime!.getTime()).toBe(Math.floor(expireTime.getTime() / 1000) * 1000);
    await db.query('update api_keys set expire_time = now() where id = $1', [made.apiKey!.id]);
    expect((await authenticate(made.secret)).caller).toBeUndefined();
    const refused = { reason: 'CREDENTIAL_INVALID' };
    await expect(auth.exchangeToken({}, callOf(caller!))).rejects.toMatchObject(refused);
    await expect(createApiKey(callOf(caller!))).rejects.toMatchObject(refused);
  });

  test('makes none that outlives it', async () => {
    const { call } = await tenant();
    const expireTime = later(300_000);
    const { secret } = await createApiKey(call, { expireTime });
    const child = callOf((await authenticate(secret)).caller!);
    expect((await createApiKey(child)).apiKey).toMatchObject({ expireTime });
    const sooner = later(1_000);
    expect((await createApiKey(child, { expireTime: sooner })).apiKey).toMatchObject({ expireTime: sooner });
    await expect(createApiKey(child, { expireTime: later(301_000) })).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: {
        fields: [{ field: 'expireTime', description: `is later than the caller's own, ${expireTime.toISOString()}` }],
      },
    });
  });

  test.each([new Date(0), new Date(), new Date(Date.UTC(10_000, 0)), new Date(Number.NaN)])(
    'is not made to expire at %s',
    async (expireTime) => {
      const { call } = await tenant();
      await expect(createApiKey(call, { expireTime })).rejects.toMatchObject({
        reason: 'INVALID_FIELD',
        details: { fields: [{ field: 'expireTime' }] },
      });
    },
  );
});

describe('an API key that made others', () => {
  const liveKeys = async (call: Call) =>
    (await auth.listApiKeys({ pageSize: 1000, pageToken: '' }, call)).apiKeys
      .filter(({ revokeTime }) => !revokeTime)
      .map(({ id }) => id);

  test('is named by them', async () => {
    const { call, apiKey } = await tenant();
    const child = await makeBy(call);
    expect(apiKey!.creatorApiKeyId).toBe('');
    expect(child.apiKey.creatorApiKeyId).toBe(apiKey!.id);
    expect((await makeBy(child.call)).apiKey.creatorApiKeyId).toBe(child.id);
  });

  test('takes them along when it is revoked, if that is asked for, also later', async () => {
    const { call, apiKey } = await tenant();
    const stranger = await tenant();
    const leaked = await makeBy(call);
    const child = await makeBy(leaked.call);
    const grandchild = await makeBy(child.call);
    const other = await makeBy(call);
    await revokeApiKey(leaked.id, call);
    expect(await liveKeys(call)).toEqual([other.id, grandchild.id, child.id, apiKey!.id]);
    await db.query('delete from outbox');
    await revokeApiKey(child.id, call);
    await revokeApiKey(leaked.id, call, true);
    expect(await liveKeys(call)).toEqual([other.id, apiKey!.id]);
    expect((await authenticate(grandchild.secret)).caller).toBeUndefined();
    const outbox = await db.query<{ payload: Buffer }>('select payload from outbox order by position');
    const { organizationId } = call.caller!;
    expect(outbox.map(({ payload }) => ApiKeyRevoked.decode(payload))).toContainEqual({
      apiKeyId: grandchild.id,
      organizationId,
    });
    const audited = await db.query(`select resource_id from audit_log where action = 'RevokeApiKey'`);
    expect(audited.filter(({ resource_id }) => resource_id === grandchild.id)).toHaveLength(1);
    expect(await liveKeys(stranger.call)).toEqual([stranger.apiKey!.id]);
  });

  test('takes along also what is being made meanwhile', async () => {
    const { call, apiKey } = await tenant();
    for (let round = 0; round < 5; round++) {
      const leaked = await makeBy(call);
      const child = await makeBy(leaked.call);
      const making = Promise.allSettled(Array.from({ length: 6 }, () => createApiKey(child.call)));
      await revokeApiKey(leaked.id, call, true);
      for (const each of await making)
        if (each.status === 'rejected') expect(each.reason).toMatchObject({ reason: 'CREDENTIAL_INVALID' });
      expect(await liveKeys(call)).toEqual([apiKey!.id]);
    }
  });
});

describe('the API keys of an organisation', () => {
  /** Made at another time than now. */
  const insertKeys = (organizationId: string, count: number, values: string) =>
    db.query(
      `insert into api_keys (id, organization_id, display_name, secret_sha256, scopes, create_time, revoke_time, expire_time)
       select 'key_' || $1 || n, $1, '', sha256(($1 || n)::bytea), '{}', ${values} from generate_series(1, $2::int) n`,
      [organizationId, count],
    );
  const outcomes = async (calls: Promise<unknown>[]) =>
    (await Promise.allSettled(calls)).map((each) => (each.status === 'rejected' ? each.reason.reason : 'made')).sort();

  test('are at most a thousand that are live, also where many are made at once', async () => {
    const { call, organization } = await tenant();
    const stranger = await tenant();
    await insertKeys(organization!.id, 995, `now() - interval '1 day', null, null`);
    await db.query(`update api_keys set create_time = now() - interval '1 day'`);
    const repeated = await createApiKey(call, { requestId: 'r' });
    expect(await outcomes(Array.from({ length: 8 }, () => createApiKey(call)))).toEqual([
      ...Array(5).fill('QUOTA_EXCEEDED'),
      ...Array(3).fill('made'),
    ]);
    await expect(createApiKey(call)).rejects.toMatchObject({
      message: 'the organisation may have 1000 API keys; revoke one',
      details: { quota: [{ subject: `organizations/${organization!.id}/apiKeys`, description: '1000 in use' }] },
    });
    expect((await createApiKey(call, { requestId: 'r' })).apiKey).toEqual(repeated.apiKey);
    await createApiKey(stranger.call);
    await revokeApiKey(repeated.apiKey!.id, call);
    await createApiKey(call);
  });

  test('that expired are none of them', async () => {
    const { call, organization } = await tenant();
    await insertKeys(organization!.id, 1_000, `now() - interval '1 day', null, now()`);
    await createApiKey(call);
  });

  test('are made two hundred an hour at most, whatever becomes of them', async () => {
    const { call, organization } = await tenant();
    await insertKeys(organization!.id, 198, `now() - interval '20 minutes', now(), null`);
    await createApiKey(call);
    const refused = await createApiKey(call).catch((error) => error);
    expect(refused).toMatchObject({
      reason: 'QUOTA_EXCEEDED',
      details: { quota: [{ description: '200 made within the hour' }] },
    });
    expect(refused.details.retryAfterMs).toBeGreaterThan(39 * 60_000);
    expect(refused.details.retryAfterMs).toBeLessThanOrEqual(40 * 60_000);
    await db.query(
      `update api_keys set create_time = create_time - interval '41 minutes' where revoke_time is not null`,
    );
    await createApiKey(call);
  });
});
