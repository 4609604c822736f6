import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import type { Queryable } from '#libs/postgres/database.ts';

/** A request of an organisation. `content` is its canonical encoding; `requestId` may be empty. */
export type Asked = { organizationId: string; requestId: string; action: string; content: Uint8Array };

/**
 * The id that a request makes: a new one, or that of an earlier request with the same request id. Errors: REQUEST_ID_REUSED if
 * their contents differ.
 */
export async function once(
  tx: Queryable,
  { organizationId, requestId, action, content }: Asked,
  newId: string,
): Promise<{ id: string; repeated: boolean }> {
  if (!requestId) return { id: newId, repeated: false };
  const sha256 = createHash('sha256').update(`${action} `).update(content).digest();
  const inserted = await tx.query(
    `insert into requests (organization_id, request_id, request_sha256, resource_id) values ($1, $2, $3, $4)
     on conflict do nothing returning resource_id`,
    [organizationId, requestId, sha256, newId],
  );
  if (inserted.length > 0) return { id: newId, repeated: false };
  const [earlier] = await tx.query<{ request_sha256: Buffer; resource_id: string }>(
    'select request_sha256, resource_id from requests where organization_id = $1 and request_id = $2',
    [organizationId, requestId],
  );
  if (!earlier?.request_sha256.equals(sha256))
    throw new DrydockError('REQUEST_ID_REUSED', 'request_id was used before with other content; take a new one');
  return { id: earlier.resource_id, repeated: true };
}
