import { expect } from 'vitest';
import { apiKey, httpUrl, openTenant, type Scenario, sdk } from '../fixture.ts';
import { startProxy } from '../proxy.ts';

export const clients: Record<string, Scenario> = {
  async 'wrong-key'() {
    using drydock = new sdk.Drydock({ url: httpUrl, apiKey: `dk_${'x'.repeat(43)}` });
    const error = await drydock.run('python', '').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.UnauthenticatedError);
    expect(error).toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  },

  async 'expired-key'() {
    await using tenant = await openTenant();
    const expireTime = new Date(Date.now() + 1_500);
    const { secret } = await tenant.drydock.apiKeys.create('short', { expireTime, scopes: ['executions'] });
    using drydock = new sdk.Drydock({ url: httpUrl, apiKey: secret });
    expect(await drydock.executions.list().toArray()).toEqual([]);
    const after = () =>
      drydock.executions
        .list()
        .toArray()
        .catch(({ name }: Error) => name);
    await expect.poll(after, { timeout: 10_000 }).toBe('UnauthenticatedError');
  },

  async 'wrong-url'() {
    using drydock = new sdk.Drydock({ url: 'http://127.0.0.1:1', apiKey, maxRetries: 1 });
    const error = await drydock.run('python', '').catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.UnavailableError);
    expect(error).toMatchObject({ message: expect.stringMatching(/^http:\/\/127.0.0.1:1 cannot be reached: /) });
    for (const url of ['127.0.0.1:8080', 'ftp://127.0.0.1', 'http://127.0.0.1/v1'])
      expect(() => new sdk.Drydock({ url, apiKey })).toThrow(sdk.InvalidArgumentError);
  },

  async 'unknown-option'() {
    using drydock = new sdk.Drydock({ url: httpUrl, apiKey });
    const wrong = [
      drydock.run('python', '', { stdinn: '' } as object),
      drydock.sandboxes.create('python', { lifetimeSeconds: 1 } as object),
      drydock.sandboxes.create('python', { limits: { memory: 1 } as object }),
      drydock.sandboxes.create('python', { lifetime: '0s' }),
      drydock.sandboxes.create('python', { lifetime: 'soon' as '1s' }),
    ];
    for (const call of wrong) await expect(call).rejects.toThrow(sdk.InvalidArgumentError);
  },

  async 'request-ids'() {
    using drydock = new sdk.Drydock({ url: httpUrl, apiKey });
    const error = await drydock.run('python', 'x', { limits: { processes: 1 } }).catch((error: unknown) => error);
    expect(error).toBeInstanceOf(sdk.InvalidArgumentError);
    expect(error).toMatchObject({
      reason: 'INVALID_FIELD',
      requestId: expect.stringMatching(/^req_/),
      fieldViolations: [{ field: expect.stringContaining('processes'), description: expect.any(String) }],
    });
  },

  async 'request-timeout'() {
    await using proxy = await startProxy();
    await using tenant = await openTenant({ url: proxy.url });
    await tenant.drydock.templates.list().toArray();
    const slow = tenant.drydock.run('python', 'import time; time.sleep(20)', { requestTimeout: '500ms' });
    await expect(slow).rejects.toThrow(sdk.TimeoutError);
  },
};
