import { describe, expect, test } from 'vitest';
import { operator, useAuth } from './auth-fixture.ts';
import { hashSecret, newSecret } from './secrets.ts';

const { credentials, db, tenant, createApiKey, revokeApiKey, deleteOrganization } = useAuth();

test('keys are looked up together, and each is answered for itself', async () => {
  const [a, b] = [await tenant(), await tenant()];
  const secrets = [b.secret, newSecret(), a.secret, b.secret];
  const { holders } = await credentials.authenticateApiKeys({ secretSha256s: secrets.map(hashSecret) }, operator);
  expect(holders.map(({ caller }) => caller?.organizationId)).toEqual(
    [b, undefined, a, b].map((each) => each?.organization?.id),
  );
  const tooMany = { secretSha256s: Array.from({ length: 1_001 }, () => Buffer.alloc(32)) };
  await expect(credentials.authenticateApiKeys(tooMany, operator)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
});

describe('revocations', () => {
  const within = async (withinMs: number) => {
    const pages: string[][] = [];
    for await (const { ids } of credentials.listRevocations({ withinMs }, operator)) pages.push(ids);
    return pages;
  };

  test('are those of keys and organisations that ended within a time, each once', async () => {
    const { call, organization } = await tenant();
    const [first, second] = [await createApiKey(call), await createApiKey(call)];
    const gone = await tenant();
    for (const { apiKey } of [first, second]) await revokeApiKey(apiKey!.id, call);
    await deleteOrganization(gone.organization!.id);
    await db.query(`update api_keys set revoke_time = now() - interval '1 hour' where id = $1`, [first.apiKey!.id]);
    const ids = (await within(60_000)).flat();
    expect(ids).toEqual([second.apiKey!.id, gone.apiKey!.id, gone.organization!.id]);
    expect(ids).not.toContain(organization!.id);
    expect((await within(2 * 3_600_000)).flat()).toEqual([first.apiKey!.id, ...ids]);
  });

  test('come in pages, also where thousands have one time', async () => {
    const { organization } = await tenant();
    await db.query(
      `insert into api_keys (id, organization_id, display_name, secret_sha256, scopes)
       select 'key_' || n, $1, '', sha256(n::text::bytea), '{}' from generate_series(1, 2500) n`,
      [organization!.id],
    );
    await deleteOrganization(organization!.id);
    const pages = await within(60_000);
    expect(pages.map(({ length }) => length)).toEqual([1_000, 1_000, 501, 1]);
    expect(new Set(pages.flat()).size).toBe(2_502);
  });

  test.each([0, -1, 86_400_001])('within %d ms is refused', async (withinMs) => {
    await expect(within(withinMs)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
  });
});
