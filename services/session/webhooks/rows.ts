import { DrydockError } from '#libs/errors.ts';
import { isId } from '#libs/ids.ts';
import type { Queryable } from '#libs/postgres/database.ts';
import type { Webhook, WebhookDelivery, WebhookDelivery_State } from '#proto/drydock/v1/webhook.ts';

export type WebhookRow = {
  id: string;
  organization_id: string;
  request_sha256: Buffer;
  url: string;
  create_time: Date;
};

export type DeliveryRow = {
  id: string;
  webhook_id: string;
  execution_id: string;
  organization_id: string;
  state: WebhookDelivery_State;
  attempts: number;
  status_code: number;
  error: string;
  create_time: Date;
  last_attempt_time: Date | null;
  next_attempt_time: Date | null;
  /** Whether an attempt is under way. */
  leased: boolean;
};

/** Columns of a `DeliveryRow`. */
export const DELIVERY = '*, coalesce(lease_expire > now(), false) as leased';

export function toWebhook({ id, url, create_time }: WebhookRow): Webhook {
  return { id, url, createTime: create_time };
}

export function toDelivery(row: DeliveryRow): WebhookDelivery {
  return {
    id: row.id,
    executionId: row.execution_id,
    state: row.state,
    attempts: row.attempts,
    lastStatusCode: row.status_code,
    lastError: row.error,
    createTime: row.create_time,
    lastAttemptTime: row.last_attempt_time ?? undefined,
    nextAttemptTime: (!row.leased && row.next_attempt_time) || undefined,
  };
}

/** A malformed id is answered like an unknown one, and never reaches SQL. Errors: WEBHOOK_NOT_FOUND. */
export async function findWebhook(
  db: Queryable,
  organizationId: string,
  id: string,
  lock: '' | 'for update' = '',
): Promise<WebhookRow> {
  const rows = isId('whk', id)
    ? await db.query<WebhookRow>(
        `select * from webhooks where id = $1 and organization_id = $2 and delete_time is null ${lock}`,
        [id, organizationId],
      )
    : [];
  if (!rows[0]) throw new DrydockError('WEBHOOK_NOT_FOUND', 'no such webhook');
  return rows[0];
}
