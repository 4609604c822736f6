import type { Client } from '#libs/grpc/rpc.ts';
import { every, type Periodic } from '#libs/lifecycle.ts';
import type { Logger } from '#libs/log.ts';
import { counter } from '#libs/telemetry.ts';
import type {
  LeaseWebhookDeliveriesResponse,
  WebhookDeliveryServiceDefinition,
} from '#proto/drydock/internal/v1/webhook.ts';
import type { Post } from './post.ts';

const LOOK_MS = 1_000;
const DEADLINE_MS = 10_000;

const attempts = counter('gateway_webhook_deliveries_total', 'Attempts to deliver, by what came of them.', ['outcome']);

export type Dependencies = {
  deliveries: Client<WebhookDeliveryServiceDefinition>;
  post: Post;
  /** Deliveries that are sent at one time. */
  concurrency: number;
  log: Logger;
};

/**
 * Sends what session has for webhooks, looking every second and when triggered. No more is leased than there is room for, so
 * nothing grows stale here. Disposing lets what is being sent come to its end; what is lost with the process is sent by another.
 */
export function sendWebhooks({ deliveries, post, concurrency, log }: Dependencies): Periodic {
  const sending = new Set<Promise<void>>();

  const send = async ({ deliveryId, attempt, ...request }: LeaseWebhookDeliveriesResponse): Promise<void> => {
    const outcome = await post(request);
    attempts.inc({ outcome: outcome.error ? 'failed' : 'delivered' });
    try {
      await deliveries.finishWebhookDelivery({ deliveryId, attempt, ...outcome }, { deadlineMs: DEADLINE_MS });
    } catch (error) {
      // It is due again when its lease is over.
      log.warn({ err: error, deliveryId }, 'outcome of a delivery not recorded');
    }
  };
  const start = (lease: LeaseWebhookDeliveriesResponse): void => {
    const sent = send(lease).finally(() => {
      sending.delete(sent);
      looking.trigger();
    });
    sending.add(sent);
  };
  const looking = every(LOOK_MS, log, async () => {
    const maxDeliveries = concurrency - sending.size;
    if (maxDeliveries === 0) return;
    const leased = deliveries.leaseWebhookDeliveries({ maxDeliveries }, { deadlineMs: DEADLINE_MS });
    for await (const lease of leased) start(lease);
  });

  return {
    trigger: looking.trigger,
    async [Symbol.asyncDispose]() {
      await looking[Symbol.asyncDispose]();
      await Promise.all(sending);
    },
  };
}
