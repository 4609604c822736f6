import type { Webhook, WebhookDelivery } from '../../../sdk/typescript/src/index.ts';
import type { Context } from '../context.ts';
import { EXIT } from '../exit-codes.ts';
import { type Column, state } from '../output.ts';

const COLUMNS: readonly Column<Webhook>[] = [
  ['id', (webhook) => webhook.id],
  ['url', (webhook) => webhook.url],
  ['created', (webhook) => webhook.createTime],
];
const DELIVERY_COLUMNS: readonly Column<WebhookDelivery>[] = [
  ['id', (delivery) => delivery.id],
  ['execution', (delivery) => delivery.executionId],
  ['state', (delivery) => state(delivery.state)],
  ['attempts', (delivery) => delivery.attempts],
  ['status', (delivery) => delivery.lastStatusCode || ''],
  ['error', (delivery) => delivery.lastError],
  ['created', (delivery) => delivery.createTime],
];

export async function list(context: Context, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.webhooks.list({ signal: context.signal }), COLUMNS, limit);
  return EXIT.ok;
}

export async function create(context: Context, url: string): Promise<number> {
  const drydock = await context.connect();
  const { webhook, secret } = await drydock.webhooks.create(url, { signal: context.signal });
  await context.output.one({ ...webhook, secret }, [...COLUMNS, ['secret', (made) => made.secret]]);
  return EXIT.ok;
}

export async function remove(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  await drydock.webhooks.delete(id, { signal: context.signal });
  return EXIT.ok;
}

export async function rotate(context: Context, id: string): Promise<number> {
  const drydock = await context.connect();
  const { webhook, ...rotated } = await drydock.webhooks.rotateSecret(id, { signal: context.signal });
  await context.output.one({ ...webhook, ...rotated }, [
    ...COLUMNS,
    ['secret', (made) => made.secret],
    ['old one signs until', (made) => made.oldSecretExpireTime],
  ]);
  return EXIT.ok;
}

export async function deliveries(context: Context, id: string, { limit }: { limit: number }): Promise<number> {
  const drydock = await context.connect();
  await context.output.many(drydock.webhooks.deliveries(id, { signal: context.signal }), DELIVERY_COLUMNS, limit);
  return EXIT.ok;
}

export async function redeliver(context: Context, id: string, deliveryId: string): Promise<number> {
  const drydock = await context.connect();
  const delivery = await drydock.webhooks.redeliver(id, deliveryId, { signal: context.signal });
  await context.output.one(delivery, DELIVERY_COLUMNS);
  return EXIT.ok;
}
