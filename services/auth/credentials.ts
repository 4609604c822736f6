import type { Database } from '#libs/database.ts';
import { DrydockError } from '#libs/errors.ts';
import type { Rpc } from '#libs/grpc/rpc.ts';
import type { CredentialServiceDefinition } from '#proto/drydock/internal/v1/auth.ts';
import { hashSecret, isSecret } from './secrets.ts';
import type { SigningKeys } from './signing-keys.ts';

type Row = { id: string; organization_id: string; scopes: string[]; concurrent_sandboxes: number };

export function createCredentials(dependencies: {
  db: Database;
  signingKeys: SigningKeys;
}): Rpc<CredentialServiceDefinition> {
  const { db, signingKeys } = dependencies;
  return {
    async authenticateApiKey({ secret }) {
      const [row] = isSecret(secret)
        ? await db.query<Row>(
            `select k.id, k.organization_id, k.scopes, o.concurrent_sandboxes
             from api_keys k join organizations o on o.id = k.organization_id
             where k.secret_sha256 = $1 and k.revoke_time is null`,
            [hashSecret(secret)],
          )
        : [];
      if (!row) throw new DrydockError('CREDENTIAL_INVALID', 'the API key is unknown or revoked');
      return {
        caller: {
          organizationId: row.organization_id,
          apiKeyId: row.id,
          scopes: row.scopes,
          concurrentSandboxes: row.concurrent_sandboxes,
        },
      };
    },
    getKeySet: async () => ({ json: await signingKeys.keySet() }),
  };
}
