import { describe, expect, test } from 'vitest';
import { isId, newId } from '#libs/ids.ts';
import { someone } from '../records-fixture.ts';
import { eventOf, page, urlOf, useWebhooks } from './webhooks-fixture.ts';

const parts = useWebhooks();
const { records, reads, webhooks, query, submit, take, complete, insertExecution, age, sweepOnce } = parts;
const { create, begin, end, deliveriesOf, leaseOf, redeliver } = parts;

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
