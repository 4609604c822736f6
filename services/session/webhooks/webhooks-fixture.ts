import type { LeaseWebhookDeliveriesResponse } from '#proto/drydock/internal/v1/webhook.ts';
import type { Webhook, WebhookDelivery } from '#proto/drydock/v1/webhook.ts';
import { type someone, useRecords } from '../records-fixture.ts';

type Someone = ReturnType<typeof someone>;
export type Lease = LeaseWebhookDeliveriesResponse;

/** A page of the default size. */
export const page = { pageSize: 0, pageToken: '' };
/** What is only this organisation's, so that a test knows its own among everybody's. */
export const urlOf = (call: Someone) => `https://${call.caller!.organizationId}.example/hook`;
export const eventOf = ({ body }: Lease) => JSON.parse(Buffer.from(body).toString());

/** Session's parts, and what tests of webhooks do with them most. */
export function useWebhooks() {
  const parts = useRecords();
  const { webhooks, leases, submit, take, complete, age } = parts;

  /** An execution that runs. */
  const begin = async (call: Someone): Promise<string> => {
    const { id } = await submit(call);
    await take(call);
    return id;
  };
  const leaseAll = async (call: Someone, maxDeliveries = 1000): Promise<Lease[]> =>
    Array.fromAsync(leases().leaseWebhookDeliveries({ maxDeliveries }, call));

  return {
    ...parts,
    begin,
    leaseAll,
    async create(call: Someone, url = urlOf(call), requestId = ''): Promise<{ webhook: Webhook; secret: string }> {
      const { webhook, secret } = await webhooks().createWebhook({ url, requestId }, call);
      return { webhook: webhook!, secret };
    },
    /** An execution that has ended. */
    async end(call: Someone, stdout = 'out'): Promise<string> {
      const id = await begin(call);
      await complete(call, id, {}, stdout);
      return id;
    },
    async deliveriesOf(call: Someone, { id }: Webhook): Promise<WebhookDelivery[]> {
      return (await webhooks().listWebhookDeliveries({ webhookId: id, ...page }, call)).deliveries;
    },
    /** Leases what is due, and answers with what is the organisation's. */
    leaseOf: async (call: Someone, maxDeliveries = 1000): Promise<Lease[]> =>
      (await leaseAll(call, maxDeliveries)).filter(({ url }) => url.startsWith(urlOf(call))),
    finish: (call: Someone, { deliveryId, attempt }: Lease, statusCode: number, error = '') =>
      leases().finishWebhookDelivery({ deliveryId, attempt, statusCode, error }, call),
    redeliver: async (call: Someone, { id }: Webhook, deliveryId: string) =>
      (await webhooks().redeliverWebhook({ webhookId: id, deliveryId }, call)).delivery!,
    /** As if the time of the next attempt had come. */
    makeDue: (deliveryId: string) => age('webhook_deliveries', deliveryId, 'next_attempt_time', '1 hour'),
  };
}
