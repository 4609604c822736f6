import { DrydockError, invalidField } from '#libs/errors.ts';
import type { FieldChecks } from '#libs/field-checks.ts';
import { newId } from '#libs/ids.ts';
import { API_KEY_REVOKED } from '#libs/nats/subjects.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import { writeOutbox } from '#libs/postgres/outbox.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';
import type { ApiKey } from '#proto/drydock/v1/auth.ts';
import { audit } from './audit.ts';
import { hashSecret } from './secrets.ts';

/** Every gateway remembers revoked keys until their tokens have expired, so their rate has a limit too. */
const MAX_LIVE = 1_000;
const MAX_PER_HOUR = 200;

/** Timestamps of protobuf end with the year 9999. */
const LATEST_MS = Date.UTC(9999, 11, 31);

type KeyRow = {
  id: string;
  display_name: string;
  scopes: string[];
  creator_api_key_id: string;
  create_time: Date;
  expire_time: Date | null;
  revoke_time: Date | null;
};

export function toApiKey(row: KeyRow): ApiKey {
  return {
    id: row.id,
    displayName: row.display_name,
    scopes: row.scopes,
    creatorApiKeyId: row.creator_api_key_id,
    createTime: row.create_time,
    expireTime: row.expire_time ?? undefined,
    revokeTime: row.revoke_time ?? undefined,
  };
}

export function checkExpireTime(check: FieldChecks, expireTime: Date | undefined): void {
  if (expireTime && !(expireTime.getTime() > Date.now() && expireTime.getTime() <= LATEST_MS))
    check.violation('expireTime', 'must be in the future and before the year 10000');
}

export type NewKey = {
  id?: string;
  organizationId: string;
  displayName: string;
  scopes: string[];
  secret: string;
  creatorApiKeyId?: string;
  expireTime?: Date | undefined;
};

export async function insertKey(tx: Queryable, { id = newId('key'), creatorApiKeyId = '', ...key }: NewKey) {
  await tx.query(
    `insert into api_keys (id, organization_id, display_name, secret_sha256, scopes, creator_api_key_id, expire_time)
     values ($1, $2, $3, $4, $5, $6, $7)`,
    [id, key.organizationId, key.displayName, hashSecret(key.secret), key.scopes, creatorApiKeyId, key.expireTime],
  );
}

/**
 * Makes a key on behalf of another one, which it does not outlive. Errors: CREDENTIAL_INVALID where that or its organisation has
 * ended, INVALID_FIELD, QUOTA_EXCEEDED.
 */
export async function makeKey(
  tx: Queryable,
  { organizationId, apiKeyId }: Caller,
  key: Omit<NewKey, 'organizationId' | 'creatorApiKeyId'>,
): Promise<void> {
  // The organisation first, as where it is deleted. Both stay as they are until the end of the transaction.
  const organization = await tx.query(
    'select from organizations where id = $1 and delete_time is null for no key update',
    [organizationId],
  );
  const [maker] = await tx.query<{ expire_time: Date | null }>(
    `select expire_time from api_keys
     where id = $1 and revoke_time is null and (expire_time is null or expire_time > now()) for share`,
    [apiKeyId],
  );
  if (organization.length === 0) throw new DrydockError('CREDENTIAL_INVALID', 'the organisation was deleted');
  if (!maker) throw new DrydockError('CREDENTIAL_INVALID', 'the API key is expired or revoked');
  const latest = maker.expire_time ?? undefined;
  if (latest && key.expireTime && key.expireTime > latest)
    throw invalidField('expireTime', `is later than the caller's own, ${latest.toISOString()}`);
  await checkRoom(tx, organizationId);
  await insertKey(tx, { ...key, organizationId, creatorApiKeyId: apiKeyId, expireTime: key.expireTime ?? latest });
}

/** Errors: QUOTA_EXCEEDED if the organisation, whose row is locked, has reached its limit of keys, in all or per hour. */
async function checkRoom(tx: Queryable, organizationId: string): Promise<void> {
  const live = await tx.query(
    `select from api_keys where organization_id = $1 and revoke_time is null
       and (expire_time is null or expire_time > now()) limit ${MAX_LIVE}`,
    [organizationId],
  );
  const subject = `organizations/${organizationId}/apiKeys`;
  if (live.length === MAX_LIVE)
    throw new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${MAX_LIVE} API keys; revoke one`, {
      quota: [{ subject, description: `${MAX_LIVE} in use` }],
    });
  const [oldest] = await tx.query<{ wait_ms: number }>(
    `select ceil(extract(epoch from create_time + interval '1 hour' - now()) * 1000)::float8 as wait_ms
     from api_keys where organization_id = $1 order by create_time desc offset ${MAX_PER_HOUR - 1} limit 1`,
    [organizationId],
  );
  if (oldest && oldest.wait_ms > 0)
    throw new DrydockError('QUOTA_EXCEEDED', `the organisation may make ${MAX_PER_HOUR} API keys an hour; use tokens`, {
      retryAfterMs: oldest.wait_ms,
      quota: [{ subject, description: `${MAX_PER_HOUR} made within the hour` }],
    });
}

// Rows are locked in the order of their ids, so that concurrent revocations of the same keys cannot deadlock.

/** Revokes the descendants of a key: the keys that it made, the keys that those made, and so on. */
export async function revokeDescendants(tx: Queryable, caller: Caller, apiKeyId: string): Promise<void> {
  // Again until there is none: what one of them was making had not been there to be found, and now can make nothing more.
  while (true) {
    const revoked = await tx.query<{ id: string }>(
      `with recursive made as (
         select id from api_keys where creator_api_key_id = $1 and organization_id = $2
         union
         select api_keys.id from api_keys join made on api_keys.creator_api_key_id = made.id
       ), live as (
         select id from api_keys where id in (select id from made) and revoke_time is null order by id for update
       )
       update api_keys set revoke_time = now() where id in (select id from live) returning id`,
      [apiKeyId, caller.organizationId],
    );
    if (revoked.length === 0) return;
    const { organizationId } = caller;
    await writeOutbox(tx, API_KEY_REVOKED, ...revoked.map(({ id }) => ({ apiKeyId: id, organizationId })));
    await audit(tx, caller, 'RevokeApiKey', ...revoked.map(({ id }) => id));
  }
}

/** Revokes all keys of a deleted organisation, without an event each: the deletion has its own. */
export async function revokeKeys(tx: Queryable, organizationId: string): Promise<void> {
  await tx.query(
    `with live as (
       select id from api_keys where organization_id = $1 and revoke_time is null order by id for update
     )
     update api_keys set revoke_time = now() where id in (select id from live)`,
    [organizationId],
  );
}
