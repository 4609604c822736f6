import { expect, test } from 'vitest';
import { page, useAuth } from './auth-fixture.ts';
import { sweep } from './sweep.ts';

const { auth, db, tenant, createApiKey, revokeApiKey, makeBy } = useAuth();

const never = new AbortController().signal;
const ageKeys = (days: number, ...ids: string[]) =>
  db.query(`update api_keys set revoke_time = now() - $1::int * interval '1 day' where id = any($2)`, [days, ids]);

test('the sweep forgets keys that ended long ago, and what they made is found by their maker', async () => {
  const { call, apiKey: first } = await tenant();
  const leaked = await makeBy(call);
  const gone = await makeBy(leaked.call);
  const goneToo = await makeBy(gone.call);
  const live = await makeBy(goneToo.call);
  const ended = await makeBy(call);
  const expired = await makeBy(call);
  await ageKeys(31, gone.id, goneToo.id);
  await ageKeys(29, ended.id);
  await db.query(`update api_keys set expire_time = now() - interval '31 days' where id = $1`, [expired.id]);
  await Promise.all([sweep(db, never), sweep(db, never)]);
  const { apiKeys } = await auth.listApiKeys(page, call);
  expect(apiKeys.map(({ id, creatorApiKeyId }) => [id, creatorApiKeyId])).toEqual([
    [ended.id, first!.id],
    [live.id, leaked.id],
    [leaked.id, first!.id],
    [first!.id, ''],
  ]);
  await revokeApiKey(leaked.id, call, true);
  await expect(createApiKey(live.call)).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
});

test('the sweep forgets requests and the log in their time, and no sooner', async () => {
  const { call } = await tenant();
  await createApiKey(call, { requestId: 'old' });
  await db.query(`update requests set create_time = now() - interval '8 days'`);
  await db.query(`update audit_log set at = now() - interval '366 days'`);
  const { apiKey } = await createApiKey(call, { requestId: 'new' });
  await sweep(db, never);
  expect(await db.query('select request_id from requests')).toEqual([{ request_id: 'new' }]);
  expect(await db.query('select resource_id from audit_log')).toEqual([{ resource_id: apiKey!.id }]);
});
