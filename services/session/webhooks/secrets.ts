import { createHmac, randomBytes } from 'node:crypto';
import type { Queryable } from '#libs/postgres/database.ts';

/** How long a secret goes on signing after its successor was made. */
const OLD_SECRET_LIFE = '24 hours';
/** The current secret and those before it. */
const MAX_SECRETS = 3;

/** Makes a new current secret; returns it and the expiry of the one before it. The caller holds the webhook's lock. */
export async function writeNewSecret(
  tx: Queryable,
  webhookId: string,
): Promise<{ secret: string; oldExpireTime: Date | undefined }> {
  const secret = `whs_${randomBytes(32).toString('base64url')}`;
  const [old] = await tx.query<{ expire_time: Date }>(
    `update webhook_secrets set expire_time = now() + interval '${OLD_SECRET_LIFE}'
     where webhook_id = $1 and expire_time is null returning expire_time`,
    [webhookId],
  );
  await tx.query('insert into webhook_secrets (webhook_id, secret) values ($1, $2)', [webhookId, secret]);
  await tx.query(
    `delete from webhook_secrets where webhook_id = $1 and (expire_time < now() or secret not in (
       select secret from webhook_secrets where webhook_id = $1 order by create_time desc limit ${MAX_SECRETS}
     ))`,
    [webhookId],
  );
  return { secret, oldExpireTime: old?.expire_time };
}

/** The headers of a delivery: its id, the time, and a signature by each live secret. */
export async function signedHeaders(
  db: Queryable,
  webhookId: string,
  deliveryId: string,
  body: Uint8Array,
): Promise<Record<string, string>> {
  const secrets = await db.query<{ secret: string }>(
    `select secret from webhook_secrets where webhook_id = $1 and (expire_time is null or expire_time > now())
     order by create_time desc`,
    [webhookId],
  );
  const timestamp = Math.floor(Date.now() / 1000).toString();
  const signatures = secrets.map(({ secret }) =>
    createHmac('sha256', secret).update(`${deliveryId}.${timestamp}.`).update(body).digest('hex'),
  );
  return {
    'drydock-webhook-id': deliveryId,
    'drydock-webhook-timestamp': timestamp,
    'drydock-webhook-signature': signatures.map((signature) => `v1=${signature}`).join(','),
  };
}
