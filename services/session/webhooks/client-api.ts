import { createHash } from 'node:crypto';
import { DrydockError } from '#libs/errors.ts';
import { checkFields, type FieldChecks } from '#libs/field-checks.ts';
import type { Call, Rpc } from '#libs/grpc/rpc.ts';
import { callerOf } from '#libs/grpc/server.ts';
import { isId, newId } from '#libs/ids.ts';
import { readPage, toPage } from '#libs/pages.ts';
import type { Database, Queryable } from '#libs/postgres/database.ts';
import {
  CreateWebhookRequest,
  type RedeliverWebhookRequest,
  type WebhookServiceDefinition,
} from '#proto/drydock/v1/webhook.ts';
import { checkSameRequest } from '../requests/admission.ts';
import { checkRequestId } from '../requests/checks.ts';
import { DELIVERY, type DeliveryRow, findWebhook, toDelivery, toWebhook, type WebhookRow } from './rows.ts';
import { writeNewSecret } from './secrets.ts';

const MAX_WEBHOOKS = 10;
const MAX_URL_LENGTH = 2048;

export type Dependencies = {
  db: Database;
  /** Wakes the senders of webhook deliveries. */
  webhooksDue: () => void;
};

/** Webhooks and their deliveries as clients see them. */
export function createWebhooks(dependencies: Dependencies): Rpc<WebhookServiceDefinition> {
  const { db } = dependencies;
  return {
    async createWebhook(request, call) {
      const { organizationId } = callerOf(call);
      const check = checkFields();
      checkRequestId(check, request.requestId);
      checkUrl(check, request.url);
      check.done();
      return db.transaction((tx) => create(tx, organizationId, request));
    },

    async getWebhook({ webhookId }, call) {
      return { webhook: toWebhook(await findWebhook(db, callerOf(call).organizationId, webhookId)) };
    },

    async listWebhooks(request, call) {
      const { organizationId } = callerOf(call);
      const { limit, after } = readPage(request);
      const rows = await db.query<WebhookRow>(
        `select * from webhooks
         where organization_id = $1 and delete_time is null and ($2::text is null or id < $2)
         order by id desc limit $3`,
        [organizationId, after ?? null, limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { webhooks: page.map(toWebhook), nextPageToken };
    },

    async deleteWebhook({ webhookId }, call) {
      const { organizationId } = callerOf(call);
      await db.transaction(async (tx) => {
        await findWebhook(tx, organizationId, webhookId, 'for update');
        await tx.query('update webhooks set delete_time = now(), request_id = null where id = $1', [webhookId]);
        await tx.query('delete from webhook_secrets where webhook_id = $1', [webhookId]);
      });
      return {};
    },

    async rotateWebhookSecret({ webhookId }, call) {
      const { organizationId } = callerOf(call);
      return db.transaction(async (tx) => {
        const row = await findWebhook(tx, organizationId, webhookId, 'for update');
        const { secret, oldExpireTime } = await writeNewSecret(tx, webhookId);
        return { webhook: toWebhook(row), secret, oldSecretExpireTime: oldExpireTime };
      });
    },

    async listWebhookDeliveries(request, call) {
      const { id } = await findWebhook(db, callerOf(call).organizationId, request.webhookId);
      const { limit, after } = readPage(request);
      const rows = await db.query<DeliveryRow>(
        `select ${DELIVERY} from webhook_deliveries where webhook_id = $1 and ($2::text is null or id < $2)
         order by id desc limit $3`,
        [id, after ?? null, limit + 1],
      );
      const { page, nextPageToken } = toPage(rows, limit, ({ id }) => id);
      return { deliveries: page.map(toDelivery), nextPageToken };
    },

    redeliverWebhook: (request, call) => redeliverWebhook(dependencies, request, call),
  };
}

async function redeliverWebhook(
  { db, webhooksDue }: Dependencies,
  { webhookId, deliveryId }: RedeliverWebhookRequest,
  call: Call,
) {
  const { id } = await findWebhook(db, callerOf(call).organizationId, webhookId);
  if (!isId('dlv', deliveryId)) throw noDelivery();
  await db.query(
    `update webhook_deliveries
     set state = 'PENDING', attempts_left = default, next_attempt_time = now(), lease_expire = null
     where id = $1 and webhook_id = $2 and (lease_expire is null or lease_expire <= now())`,
    [deliveryId, id],
  );
  const [row] = await db.query<DeliveryRow>(
    `select ${DELIVERY} from webhook_deliveries where id = $1 and webhook_id = $2`,
    [deliveryId, id],
  );
  if (!row) throw noDelivery();
  webhooksDue();
  return { delivery: toDelivery(row) };
}

const noDelivery = () => new DrydockError('DELIVERY_NOT_FOUND', 'the webhook has no such delivery');

/** The sender checks the address when it connects: a name may resolve to another one by then. */
function checkUrl(check: FieldChecks, text: string): void {
  check.string('url', text, { required: true, maxLength: MAX_URL_LENGTH });
  if (!text) return;
  const url = URL.parse(text);
  if (!url || !/^https?:\/\/[^\s\\]+$/i.test(text)) check.violation('url', 'is not a URL of http or https');
  else if (url.username || url.password) check.violation('url', 'must not hold a user or a password');
  else if (text.includes('#')) check.violation('url', 'must not have a fragment');
}

/** Under the organisation's lock, so that counting and inserting are one step. Errors: REQUEST_ID_REUSED, QUOTA_EXCEEDED. */
async function create(tx: Queryable, organizationId: string, request: CreateWebhookRequest) {
  const { url, requestId } = request;
  const sha256 = createHash('sha256').update(CreateWebhookRequest.encode(request).finish()).digest();
  await tx.query('insert into tenants (organization_id) values ($1) on conflict do nothing', [organizationId]);
  await tx.query('select from tenants where organization_id = $1 for no key update', [organizationId]);
  const existing = await tx.query<WebhookRow & { request_id: string | null }>(
    'select * from webhooks where organization_id = $1 and delete_time is null',
    [organizationId],
  );
  const earlier = requestId && existing.find(({ request_id }) => request_id === requestId);
  if (earlier) {
    checkSameRequest(earlier, sha256);
    return { webhook: toWebhook(earlier), secret: '' };
  }
  if (existing.length >= MAX_WEBHOOKS) throw tooMany(organizationId);
  const [row] = await tx.query<WebhookRow>(
    'insert into webhooks (id, organization_id, request_id, request_sha256, url) values ($1, $2, $3, $4, $5) returning *',
    [newId('whk'), organizationId, requestId || null, sha256, url],
  );
  const { secret } = await writeNewSecret(tx, row!.id);
  return { webhook: toWebhook(row!), secret };
}

function tooMany(organizationId: string): DrydockError {
  return new DrydockError('QUOTA_EXCEEDED', `the organisation may have ${MAX_WEBHOOKS} webhooks; delete one`, {
    quota: [{ subject: `organizations/${organizationId}/webhooks`, description: `${MAX_WEBHOOKS} in use` }],
  });
}
