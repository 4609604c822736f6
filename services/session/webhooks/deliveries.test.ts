import { describe, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { readVerify } from '../../../test/support/webhook-receiver.ts';
import { someone } from '../records-fixture.ts';
import { eventOf, urlOf, useWebhooks } from './webhooks-fixture.ts';

const parts = useWebhooks();
const { reads, webhooks, query, complete, age, sweepOnce } = parts;
const { create, begin, end, deliveriesOf, leaseOf, leaseAll, finish, redeliver, makeDue } = parts;

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
      // Spread over the whole range: that all of them stay in its lower part is not to be expected.
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
