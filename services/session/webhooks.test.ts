import { describe, expect, test } from 'vitest';
import { isId, newId } from '#libs/ids.ts';
import type { LeaseWebhookDeliveriesResponse } from '#proto/drydock/internal/v1/webhook.ts';
import type { Webhook, WebhookDelivery } from '#proto/drydock/v1/webhook.ts';
import { readVerify } from '../../test/webhook-receiver.ts';
import { someone, useRecords } from './records-fixture.ts';

const parts = useRecords();
const { records, reads, webhooks, leases, query, submit, take, complete, insertExecution, age, sweepOnce } = parts;

type Someone = ReturnType<typeof someone>;
type Lease = LeaseWebhookDeliveriesResponse;

const urlOf = (call: Someone) => `https://${call.caller!.organizationId}.example/hook`;
async function create(call: Someone, url = urlOf(call), requestId = ''): Promise<{ webhook: Webhook; secret: string }> {
  const { webhook, secret } = await webhooks().createWebhook({ url, requestId }, call);
  return { webhook: webhook!, secret };
}
/** An execution that runs. */
async function begin(call: Someone): Promise<string> {
  const { id } = await submit(call);
  await take(call);
  return id;
}
async function end(call: Someone, stdout = 'out'): Promise<string> {
  const id = await begin(call);
  await complete(call, id, {}, stdout);
  return id;
}
const page = { pageSize: 0, pageToken: '' };
async function deliveriesOf(call: Someone, { id }: Webhook): Promise<WebhookDelivery[]> {
  return (await webhooks().listWebhookDeliveries({ webhookId: id, ...page }, call)).deliveries;
}
/** Leases what is due, and answers with what is the organisation's. */
async function leaseOf(call: Someone, maxDeliveries = 1000): Promise<Lease[]> {
  return (await leaseAll(call, maxDeliveries)).filter(({ url }) => url.startsWith(urlOf(call)));
}
async function leaseAll(call: Someone, maxDeliveries = 1000): Promise<Lease[]> {
  return Array.fromAsync(leases().leaseWebhookDeliveries({ maxDeliveries }, call));
}
const finish = (call: Someone, { deliveryId, attempt }: Lease, statusCode: number, error = '') =>
  leases().finishWebhookDelivery({ deliveryId, attempt, statusCode, error }, call);
const redeliver = async (call: Someone, { id }: Webhook, deliveryId: string) =>
  (await webhooks().redeliverWebhook({ webhookId: id, deliveryId }, call)).delivery!;
/** As if the time of the next attempt had come. */
const makeDue = (deliveryId: string) => age('webhook_deliveries', deliveryId, 'next_attempt_time', '1 hour');
const eventOf = ({ body }: Lease) => JSON.parse(Buffer.from(body).toString());

describe('a webhook', () => {
  test('shows its secret once, and is found, listed and deleted', async () => {
    const call = someone();
    const { webhook, secret } = await create(call);
    expect(secret).toMatch(/^whs_[\w-]{43}$/);
    expect(isId('whk', webhook.id)).toBe(true);
    const { id } = (await create(call, `${urlOf(call)}/second?a=b`)).webhook;
    expect(await webhooks().getWebhook({ webhookId: webhook.id }, call)).toEqual({ webhook });
    const listed = await webhooks().listWebhooks({ ...page, pageSize: 1 }, call);
    const rest = await webhooks().listWebhooks({ pageSize: 1, pageToken: listed.nextPageToken }, call);
    expect([...listed.webhooks, ...rest.webhooks].map(({ id }) => id).sort()).toEqual([webhook.id, id].sort());
    expect(JSON.stringify([listed, rest])).not.toContain('whs_');
    await webhooks().deleteWebhook({ webhookId: id }, call);
    await expect(webhooks().getWebhook({ webhookId: id }, call)).rejects.toMatchObject({ reason: 'WEBHOOK_NOT_FOUND' });
    expect(await webhooks().listWebhooks(page, call)).toEqual({ webhooks: [webhook], nextPageToken: '' });
  });

  test.each([
    '',
    'ftp://example.com/',
    'example.com',
    'https://',
    'https://user@example.com/',
    'https://:secret@example.com/',
    'https://example.com/#part',
    'https://example.com/#',
    'https://example.com/a b',
    ' https://example.com/',
    'https:\\\\example.com',
    'https://example.com/\0',
    'https://256.1.1.1/',
    `https://example.com/${'x'.repeat(2048)}`,
  ])('with the URL %j is refused', async (url) => {
    await expect(create(someone(), url)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field: 'url' }] },
    });
  });

  test('that is asked for again is the same one without its secret, and another content is refused', async () => {
    const call = someone();
    const { webhook } = await create(call, urlOf(call), 'r');
    expect(await create(call, urlOf(call), 'r')).toEqual({ webhook, secret: '' });
    await expect(create(call, 'https://other.example/', 'r')).rejects.toMatchObject({ reason: 'REQUEST_ID_REUSED' });
    await webhooks().deleteWebhook({ webhookId: webhook.id }, call);
    expect((await create(call, urlOf(call), 'r')).webhook.id).not.toBe(webhook.id);
  });

  test('is one of at most ten, however many are asked for at once', async () => {
    const call = someone();
    const answers = await Promise.allSettled(Array.from({ length: 15 }, () => create(call)));
    expect(answers.filter(({ status }) => status === 'fulfilled')).toHaveLength(10);
    expect(answers.filter(({ status }) => status === 'rejected')).toMatchObject(
      Array(5).fill({ reason: { reason: 'QUOTA_EXCEEDED' } }),
    );
    await expect(create(someone())).resolves.toBeDefined();
  });

  test('of another organisation is answered like an unknown one', async () => {
    const owner = someone();
    const { webhook } = await create(owner);
    await end(owner);
    const [delivery] = await deliveriesOf(owner, webhook);
    const stranger = someone();
    for (const webhookId of [webhook.id, newId('whk'), newId('exe'), '', "'; --", 'whk_\0']) {
      const asked = { webhookId, ...page, deliveryId: delivery!.id };
      const answers = await Promise.allSettled([
        webhooks().getWebhook(asked, stranger),
        webhooks().deleteWebhook(asked, stranger),
        webhooks().rotateWebhookSecret(asked, stranger),
        webhooks().listWebhookDeliveries(asked, stranger),
        webhooks().redeliverWebhook(asked, stranger),
      ]);
      const unknown = { reason: 'WEBHOOK_NOT_FOUND', message: 'no such webhook', details: {} };
      expect(answers).toMatchObject(Array(5).fill({ reason: unknown }));
    }
    const own = (await create(stranger)).webhook;
    for (const deliveryId of [delivery!.id, newId('dlv'), '', 'nonsense'])
      await expect(redeliver(stranger, own, deliveryId)).rejects.toMatchObject({ reason: 'DELIVERY_NOT_FOUND' });
    expect(await webhooks().listWebhooks(page, stranger)).toMatchObject({ webhooks: [own] });
    expect(await deliveriesOf(owner, webhook)).toEqual([delivery]);
  });
});

describe('the end of an execution', () => {
  test('is a delivery to each webhook of its organisation, and nothing before it is', async () => {
    const call = someone();
    const [one, two] = [await create(call), await create(call)];
    const stranger = await create(someone());
    const id = await begin(call);
    expect(await deliveriesOf(call, one.webhook)).toEqual([]);
    const woken = parts.timesDue();
    await complete(call, id);
    await complete(call, id, {}, 'again');
    expect(parts.timesDue()).toBe(woken + 1);
    for (const { webhook } of [one, two]) {
      const [delivery, ...more] = await deliveriesOf(call, webhook);
      expect(more).toEqual([]);
      expect(delivery).toMatchObject({
        executionId: id,
        state: 'PENDING',
        attempts: 0,
        lastStatusCode: 0,
        lastError: '',
      });
      expect(isId('dlv', delivery!.id)).toBe(true);
      expect(delivery!.id.slice(0, 14) > newId('dlv', Date.now() - 60_000).slice(0, 14)).toBe(true);
      expect(delivery!.id.slice(0, 14) < newId('dlv', Date.now() + 60_000).slice(0, 14)).toBe(true);
    }
    expect(await query('select id from webhook_deliveries where webhook_id = $1', [stranger.webhook.id])).toEqual([]);
  });

  test('tells of one that was cancelled, given up or lost too', async () => {
    const call = someone();
    const { webhook } = await create(call);
    const waiting = await submit(call);
    await reads().executions.cancelExecution({ executionId: waiting.id }, call);
    await reads().executions.cancelExecution({ executionId: waiting.id }, call);
    const lost = await begin(call);
    await age('executions', lost, 'deadline', '1 day');
    await sweepOnce();
    const poison = await submit(call);
    for (let attempt = 1; attempt <= 5; attempt++) {
      await take(call);
      await records().returnExecution({ executionId: poison.id, attempt, message: '', lost: true }, call);
    }
    await take(call);
    const told = await deliveriesOf(call, webhook);
    expect(told.map(({ executionId }) => executionId).sort()).toEqual([waiting.id, lost, poison.id].sort());
    const events = (await leaseOf(call)).map(eventOf);
    expect(events.map(({ execution }) => [execution.state, execution.verdict]).sort()).toEqual([
      ['CANCELLED', 'CANCELLED'],
      ['FINISHED', 'INTERNAL_ERROR'],
      ['FINISHED', 'INTERNAL_ERROR'],
    ]);
  });

  test('that somebody waited for in his call is told to nobody else', async () => {
    const call = someone();
    const { webhook } = await create(call);
    const { execution } = await insertExecution(call);
    await complete(call, execution!.id);
    expect(await deliveriesOf(call, webhook)).toEqual([]);
  });

  test('never fails, though its webhooks are deleted at that moment', async () => {
    const call = someone();
    for (let round = 0; round < 10; round++) {
      const { webhook } = await create(call);
      const ids = await Promise.all(Array.from({ length: 4 }, () => begin(call)));
      await Promise.all([
        ...ids.map((id) => complete(call, id)),
        webhooks().deleteWebhook({ webhookId: webhook.id }, call),
        sweepOnce(),
      ]);
      for (const executionId of ids)
        expect(await reads().executions.getExecution({ executionId, wait: undefined }, call)).toMatchObject({
          execution: { state: 'FINISHED' },
        });
    }
    await sweepOnce();
    const { organizationId } = call.caller!;
    expect(await query('select id from webhook_deliveries where organization_id = $1', [organizationId])).toEqual([]);
    expect(await query('select id from webhooks where organization_id = $1', [organizationId])).toEqual([]);
  });
});

describe('a delivery', () => {
  test('holds the execution as GetExecution shows it, signed as the README verifies it', async () => {
    const verify = await readVerify();
    const call = someone();
    const { secret } = await create(call);
    const executionId = await end(call, 'hällo');
    const [lease] = await leaseOf(call);
    const { deliveryId, headers, body } = lease!;
    const { execution } = await reads().executions.getExecution({ executionId, wait: undefined }, call);
    expect(eventOf(lease!)).toMatchObject({
      id: deliveryId,
      type: 'execution.finished',
      execution: {
        id: executionId,
        state: 'FINISHED',
        verdict: 'ACCEPTED',
        exitCode: 0,
        stdout: 'hällo',
        stderr: '',
        cases: [],
        finishTime: execution!.finishTime!.toISOString(),
      },
    });
    expect(headers['drydock-webhook-id']).toBe(deliveryId);
    expect(verify(headers, body, secret)).toBe(true);
    expect(verify(headers, body, `${secret}x`)).toBe(false);
    expect(verify(headers, Buffer.concat([body, Buffer.from(' ')]), secret)).toBe(false);
    const later = { ...headers, 'drydock-webhook-timestamp': String(Number(headers['drydock-webhook-timestamp']) + 1) };
    expect(verify(later, body, secret)).toBe(false);
    expect(verify({ ...headers, 'drydock-webhook-id': newId('dlv') }, body, secret)).toBe(false);
    expect(verify({}, body, secret)).toBe(false);
    const old = { ...headers, 'drydock-webhook-timestamp': '1000000000' };
    expect(verify(old, body, secret)).toBe(false);
  });

  test('has the beginnings of long outputs, cut where a character ends', async () => {
    const call = someone();
    await create(call);
    const id = await begin(call);
    const output = { stdout: `${'x'.repeat(1023)}ü`, stderr: '' };
    const cases = [{ name: 'a', ...output, stdoutTruncated: false, stderrTruncated: false, signal: '', message: '' }];
    const compile = { ...output, stdout: 'c'.repeat(70_000) };
    await complete(call, id, { cases, compile } as never, `${'x'.repeat(65_535)}ü`);
    const { execution } = eventOf((await leaseOf(call))[0]!);
    expect(execution).toMatchObject({ stdout: 'x'.repeat(65_535), stdoutTruncated: true, stderrTruncated: false });
    expect(execution.cases).toMatchObject([
      { stdout: 'x'.repeat(1023), stdoutTruncated: true, stderrTruncated: false },
    ]);
    expect(execution.compile).toMatchObject({ stdout: 'c'.repeat(65_536), stdoutTruncated: true });
  });

  test('that arrived is over, and its time is on record', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    const [lease] = await leaseOf(call);
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ attempts: 1, nextAttemptTime: undefined }]);
    await finish(call, lease!, 204);
    await finish(call, lease!, 500, 'late');
    const [delivery] = await deliveriesOf(call, webhook);
    expect(delivery).toMatchObject({ state: 'DELIVERED', attempts: 1, lastStatusCode: 204, lastError: '' });
    expect(delivery!.lastAttemptTime).toBeInstanceOf(Date);
    expect(delivery!.nextAttemptTime).toBeUndefined();
    expect(await leaseOf(call)).toEqual([]);
  });

  test('that fails is tried eight times, waiting longer and longer, and is then given up', async () => {
    const calls = Array.from({ length: 8 }, () => someone());
    const hooks = await Promise.all(calls.map((call) => create(call)));
    for (const call of calls) for (let n = 0; n < 4; n++) await end(call);
    const ceilings = [20, 80, 320, 1280, 3600, 3600, 3600];
    for (const [index, ceiling] of ceilings.entries()) {
      const waits: number[] = [];
      for (const lease of await leaseAll(calls[0]!)) {
        const call = calls.find((each) => lease.url === urlOf(each));
        if (!call) continue;
        expect(lease.attempt).toBe(index + 1);
        await finish(call, lease, index % 2 ? 0 : 503, 'answered 503');
        const [row] = (await query(
          'select extract(epoch from next_attempt_time - last_attempt_time)::float8 as wait from webhook_deliveries where id = $1',
          [lease.deliveryId],
        )) as { wait: number }[];
        waits.push(row!.wait);
        await makeDue(lease.deliveryId);
      }
      expect(waits).toHaveLength(32);
      expect(Math.min(...waits)).toBeGreaterThanOrEqual(5);
      expect(Math.max(...waits)).toBeLessThanOrEqual(ceiling);
      // Spread over the whole range: so many that stay in its lower part are not to be expected.
      expect(Math.max(...waits)).toBeGreaterThan(ceiling / 3);
      expect(Math.min(...waits)).toBeLessThan(ceiling * 0.75);
    }
    const last = (await leaseAll(calls[0]!)).filter(({ url }) => calls.some((call) => url === urlOf(call)));
    for (const lease of last) await finish(calls[0]!, lease, 302, 'a redirect');
    const told = await Promise.all(calls.map((call, index) => deliveriesOf(call, hooks[index]!.webhook)));
    expect(told.flat()).toMatchObject(
      Array(32).fill({
        state: 'FAILED',
        attempts: 8,
        lastStatusCode: 302,
        lastError: 'a redirect',
        nextAttemptTime: undefined,
      }),
    );
    for (const { deliveryId } of last) await makeDue(deliveryId);
    expect(await leaseOf(calls[0]!)).toEqual([]);
  }, 60_000);

  test('is not sent before its time', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    const [lease] = await leaseOf(call);
    await finish(call, lease!, 500, 'answered 500');
    expect(await leaseOf(call)).toEqual([]);
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ state: 'PENDING', nextAttemptTime: expect.any(Date) }]);
    await makeDue(lease!.deliveryId);
    expect(await leaseOf(call)).toMatchObject([{ deliveryId: lease!.deliveryId, attempt: 2 }]);
  });

  test('whose sender is lost is sent by another, whose outcome counts alone', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    const [first] = await leaseOf(call);
    expect(await leaseOf(call)).toEqual([]);
    await age('webhook_deliveries', first!.deliveryId, 'lease_expire', '61 s');
    const [second] = await leaseOf(call);
    expect(second).toMatchObject({ deliveryId: first!.deliveryId, attempt: 2 });
    await finish(call, first!, 200);
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ state: 'PENDING', attempts: 2 }]);
    await finish(call, second!, 200);
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ state: 'DELIVERED', attempts: 2 }]);
  });

  test('whose sender is lost at the last attempt is given up', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    for (let attempt = 1; attempt <= 8; attempt++) {
      const [lease] = await leaseOf(call);
      expect(lease).toMatchObject({ attempt });
      await age('webhook_deliveries', lease!.deliveryId, 'lease_expire', '61 s');
    }
    expect(await leaseOf(call)).toEqual([]);
    const [delivery] = await deliveriesOf(call, webhook);
    expect(delivery).toMatchObject({ state: 'FAILED', attempts: 8, lastError: expect.stringMatching(/lost/) });
  });

  test('is sent again when that is asked for, with as many tries as a new one, but not while it is being sent', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    const [first] = await leaseOf(call);
    const { deliveryId } = first!;
    expect(await redeliver(call, webhook, deliveryId)).toMatchObject({ attempts: 1, nextAttemptTime: undefined });
    expect(await leaseOf(call)).toEqual([]);
    await finish(call, first!, 200);
    const woken = parts.timesDue();
    expect(await redeliver(call, webhook, deliveryId)).toMatchObject({ id: deliveryId, state: 'PENDING', attempts: 1 });
    expect(parts.timesDue()).toBe(woken + 1);
    for (let attempt = 2; attempt <= 9; attempt++) {
      const [lease] = await leaseOf(call);
      expect(lease).toMatchObject({ deliveryId, attempt, headers: { 'drydock-webhook-id': deliveryId } });
      await finish(call, lease!, 500, 'answered 500');
      await makeDue(deliveryId);
    }
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ state: 'FAILED', attempts: 9 }]);
    await redeliver(call, webhook, deliveryId);
    await finish(call, (await leaseOf(call))[0]!, 200);
    expect(await deliveriesOf(call, webhook)).toMatchObject([{ state: 'DELIVERED', attempts: 10 }]);
  });

  test('is not sent any more once its webhook is deleted', async () => {
    const call = someone();
    const { webhook } = await create(call);
    await end(call);
    await webhooks().deleteWebhook({ webhookId: webhook.id }, call);
    expect(await leaseOf(call)).toEqual([]);
    await sweepOnce();
    expect(await query('select id from webhooks where id = $1', [webhook.id])).toEqual([]);
  });

  test('is listed newest first, in pages, and forgotten with its execution', async () => {
    const call = someone();
    const { webhook } = await create(call);
    const ids = [await end(call), await end(call), await end(call)];
    const list = (pageToken: string) =>
      webhooks().listWebhookDeliveries({ webhookId: webhook.id, pageSize: 2, pageToken }, call);
    const first = await list('');
    const second = await list(first.nextPageToken);
    const seen = [...first.deliveries, ...second.deliveries];
    expect(first.deliveries).toHaveLength(2);
    expect(second.nextPageToken).toBe('');
    expect(seen.map(({ executionId }) => executionId).sort()).toEqual(ids.toSorted());
    expect(seen.map(({ id }) => id)).toEqual(
      seen
        .map(({ id }) => id)
        .toSorted()
        .reverse(),
    );
    await age('executions', ids[0]!, 'finish_time', '25 hours');
    await sweepOnce();
    expect((await deliveriesOf(call, webhook)).map(({ executionId }) => executionId).sort()).toEqual(
      ids.slice(1).toSorted(),
    );
  });
});

describe('leases', () => {
  test('are four of one organisation at one time, over all who ask', async () => {
    const call = someone();
    await create(call);
    for (let n = 0; n < 10; n++) await end(call);
    const together = (await Promise.all(Array.from({ length: 6 }, () => leaseOf(call)))).flat();
    expect(together).toHaveLength(4);
    expect(new Set(together.map(({ deliveryId }) => deliveryId)).size).toBe(4);
    await finish(call, together[0]!, 200);
    expect(await leaseOf(call)).toHaveLength(1);
    expect(await leaseOf(call)).toHaveLength(0);
  });

  test('go first to the organisations that have the fewest', async () => {
    while ((await leaseAll(someone())).length > 0);
    const [busy, calm] = [someone(), someone()];
    await create(busy);
    await create(calm);
    for (let n = 0; n < 6; n++) await end(busy);
    expect(await leaseOf(busy, 2)).toHaveLength(2);
    for (let n = 0; n < 2; n++) await end(calm);
    expect((await leaseAll(calm, 2)).map(({ url }) => url)).toEqual([urlOf(calm), urlOf(calm)]);
    expect((await leaseAll(calm, 100)).map(({ url }) => url)).toEqual([urlOf(busy), urlOf(busy)]);
  });

  test.each([0, -1, 1001])('for %d are refused', async (count) => {
    await expect(leaseAll(someone(), count)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
  });
});

describe('a new secret', () => {
  test('signs at once, and the ones before it for another day', async () => {
    const verify = await readVerify();
    const call = someone();
    const { webhook, secret: first } = await create(call);
    const rotate = () => webhooks().rotateWebhookSecret({ webhookId: webhook.id }, call);
    /** Which of the secrets a delivery that is sent now is signed with. */
    const signers = async (...secrets: string[]) => {
      await end(call);
      const [lease] = await leaseOf(call);
      await finish(call, lease!, 200);
      const { headers, body } = lease!;
      expect(headers['drydock-webhook-signature']).toMatch(/^v1=[0-9a-f]{64}(,v1=[0-9a-f]{64})*$/);
      return {
        signatures: headers['drydock-webhook-signature']!.split(',').length,
        right: secrets.filter((secret) => verify(headers, body, secret)),
      };
    };
    expect(await signers(first)).toEqual({ signatures: 1, right: [first] });
    const { secret: second, oldSecretExpireTime } = await rotate();
    expect(second).toMatch(/^whs_/);
    const hours = (oldSecretExpireTime!.getTime() - Date.now()) / 3_600_000;
    expect(hours).toBeGreaterThan(23.9);
    expect(hours).toBeLessThan(24.1);
    expect(await signers(first, second)).toEqual({ signatures: 2, right: [first, second] });
    // The answer to this one may have been lost, so that receivers still have the first.
    const { secret: third } = await rotate();
    expect(await signers(first, second, third)).toEqual({ signatures: 3, right: [first, second, third] });
    const { secret: fourth } = await rotate();
    expect(await signers(first, second, third, fourth)).toEqual({ signatures: 3, right: [second, third, fourth] });
    await query(`update webhook_secrets set expire_time = expire_time - interval '25 hours' where webhook_id = $1`, [
      webhook.id,
    ]);
    expect(await signers(second, third, fourth)).toEqual({ signatures: 1, right: [fourth] });
  });
});
