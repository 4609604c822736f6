import pino from 'pino';
import { expect, test } from 'vitest';
import { DrydockError } from '#libs/errors.ts';
import type { FinishWebhookDeliveryRequest } from '#proto/drydock/internal/v1/webhook.ts';
import type { Outcome } from './post.ts';
import { type Dependencies, sendWebhooks } from './sender.ts';

const log = pino({ level: 'silent' });

/** A number of deliveries as session has them, each leased once. */
function session(count: number) {
  let next = 0;
  const asked: number[] = [];
  const finished: FinishWebhookDeliveryRequest[] = [];
  const deliveries: Dependencies['deliveries'] = {
    async *leaseWebhookDeliveries({ maxDeliveries }) {
      asked.push(maxDeliveries);
      for (let n = 0; n < maxDeliveries && next < count; n++)
        yield { deliveryId: `dlv_${next++}`, attempt: 1, url: '', headers: {}, body: Buffer.alloc(0) };
    },
    async finishWebhookDelivery(request) {
      finished.push(request);
      return {};
    },
  };
  return { asked, finished, deliveries };
}

/** A post that ends when it is told to. */
function posts() {
  const open: ((outcome: Outcome) => void)[] = [];
  return { open, post: () => new Promise<Outcome>((resolve) => open.push(resolve)) };
}

test('no more is leased than there is room for, and a free place is taken at once', async () => {
  const { asked, finished, deliveries } = session(5);
  const { open, post } = posts();
  await using _sender = sendWebhooks({ deliveries, post, concurrency: 2, log });
  await expect.poll(() => open.length).toBe(2);
  expect(asked).toEqual([2]);
  const started = performance.now();
  for (let n = 0; n < 5; n++) {
    await expect.poll(() => open.length, { interval: 5 }).toBe(Math.min(n + 2, 5));
    open[n]!({ statusCode: n === 1 ? 500 : 200, error: n === 1 ? 'answered 500' : '' });
  }
  await expect.poll(() => finished.length).toBe(5);
  // Waiting for its turn each time would take seconds.
  expect(performance.now() - started).toBeLessThan(2_000);
  expect(finished[1]).toEqual({ deliveryId: 'dlv_1', attempt: 1, statusCode: 500, error: 'answered 500' });
  expect(Math.max(...asked)).toBe(2);
});

test('what is being sent comes to its end before the sender does', async () => {
  const { finished, deliveries } = session(1);
  const { open, post } = posts();
  const sender = sendWebhooks({ deliveries, post, concurrency: 2, log });
  await expect.poll(() => open.length).toBe(1);
  const disposed = sender[Symbol.asyncDispose]();
  open[0]!({ statusCode: 200, error: '' });
  await disposed;
  expect(finished).toHaveLength(1);
});

test('an outcome that session could not be told of does not stop the next ones', async () => {
  const { finished, deliveries } = session(3);
  let failures = 0;
  const finishWebhookDelivery: Dependencies['deliveries']['finishWebhookDelivery'] = async (request, options) => {
    if (failures++ === 0) throw new DrydockError('SERVICE_UNAVAILABLE', 'session cannot be reached');
    return deliveries.finishWebhookDelivery(request, options);
  };
  const post = async () => ({ statusCode: 200, error: '' });
  await using _sender = sendWebhooks({
    deliveries: { ...deliveries, finishWebhookDelivery },
    post,
    concurrency: 1,
    log,
  });
  await expect.poll(() => finished.map(({ deliveryId }) => deliveryId)).toEqual(['dlv_1', 'dlv_2']);
});
