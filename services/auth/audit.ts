import type { Queryable } from '#libs/postgres/database.ts';
import type { Caller } from '#proto/drydock/internal/v1/caller.ts';

type Actor = Pick<Caller, 'organizationId' | 'apiKeyId'>;

/** Writes an audit row for each resource of an action. */
export async function audit(tx: Queryable, caller: Actor, action: string, ...resourceIds: string[]): Promise<void> {
  await tx.query(
    `insert into audit_log (organization_id, api_key_id, action, resource_id)
     select $1, $2, $3, id from unnest($4::text[]) as resource (id)`,
    [caller.organizationId, caller.apiKeyId, action, resourceIds],
  );
}
