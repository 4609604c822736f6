import { invalidField } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import { isId } from '#libs/ids.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import type { ApiKeyHolder, CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { type QuotaRow, quotaOf } from './quota.ts';
import { revokedWithin } from './revoked.ts';
import type { SigningKeys } from './signing-keys.ts';

const MAX_SECRETS = 1_000;
const MAX_WITHIN_MS = 24 * 3_600_000;

type Row = {
  id: string;
  organization_id: string;
  scopes: string[];
  secret_sha256: Buffer;
  expire_time: Date | null;
} & QuotaRow;

const NOBODY: ApiKeyHolder = { caller: undefined, expireTime: undefined };

const CALLERS = `select k.id, k.organization_id, k.scopes, k.secret_sha256, k.expire_time,
    o.concurrent_sandboxes, o.concurrent_executions, o.queued_executions, o.queue_weight, o.shared_pool, o.blob_bytes
  from api_keys k join organizations o on o.id = k.organization_id
  where k.revoke_time is null and (k.expire_time is null or k.expire_time > now()) and o.delete_time is null`;

export function createCredentials(dependencies: {
  db: Database;
  signingKeys: SigningKeys;
}): Rpc<CredentialServiceDefinition> {
  const { db, signingKeys } = dependencies;
  return {
    async authenticateApiKeys({ secretSha256s }) {
      if (secretSha256s.length > MAX_SECRETS) throw invalidField('secretSha256s', `has more than ${MAX_SECRETS}`);
      const hashes = secretSha256s.map((hash) => Buffer.from(hash));
      const rows = await db.query<Row>(`${CALLERS} and k.secret_sha256 = any($1)`, [hashes]);
      const holders = new Map(rows.map((row) => [row.secret_sha256.toString('hex'), toHolder(row)]));
      return { holders: hashes.map((hash) => holders.get(hash.toString('hex')) ?? NOBODY) };
    },
    async *listRevocations({ withinMs }) {
      if (withinMs < 1 || withinMs > MAX_WITHIN_MS)
        throw invalidField('withinMs', `must be from 1 to ${MAX_WITHIN_MS}`);
      for await (const ids of revokedWithin(db, withinMs)) yield { ids };
    },
    getKeySet: async () => ({ json: await signingKeys.keySet() }),
  };
}

/** The holder of a key; without `caller` if the key is expired or revoked, or its organisation deleted. */
export async function findHolder(db: Queryable, apiKeyId: string): Promise<ApiKeyHolder> {
  const [row] = isId('key', apiKeyId) ? await db.query<Row>(`${CALLERS} and k.id = $1`, [apiKeyId]) : [];
  return row ? toHolder(row) : NOBODY;
}

function toHolder(row: Row): ApiKeyHolder {
  const caller = { organizationId: row.organization_id, apiKeyId: row.id, scopes: row.scopes, quota: quotaOf(row) };
  return { caller, expireTime: row.expire_time ?? undefined };
}
