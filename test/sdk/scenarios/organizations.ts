import { expect } from 'vitest';
import { apiKey, httpUrl, openTenant, type Scenario, sdk } from '../fixture.ts';

const operator = new sdk.Drydock({ url: httpUrl, apiKey });

export const organizations: Record<string, Scenario> = {
  async 'api-keys'() {
    await using tenant = await openTenant();
    const { apiKeys } = tenant.drydock;
    const { apiKey: made, secret } = await apiKeys.create('ci', { scopes: ['executions'] });
    using other = new sdk.Drydock({ url: httpUrl, apiKey: secret });
    expect(await other.executions.list().toArray()).toEqual([]);
    await expect(other.sandboxes.create('python')).rejects.toThrow(sdk.PermissionDeniedError);
    expect((await apiKeys.list().toArray()).map(({ displayName }) => displayName)).toContain('ci');
    await apiKeys.revoke(made.id);
    const after = () =>
      other.executions
        .list()
        .toArray()
        .catch(({ name }: Error) => name);
    await expect.poll(after, { timeout: 10_000 }).toBe('UnauthenticatedError');
  },

  async organizations() {
    const { organization, secret } = await operator.organizations.create('made', { quota: { queueWeight: 200 } });
    expect(organization).toMatchObject({ displayName: 'made', quota: { queueWeight: 200 } });
    const { id } = organization;
    const changed = await operator.organizations.update(id, { displayName: 'changed', quota: { queuedExecutions: 5 } });
    expect(changed).toMatchObject({ displayName: 'changed', quota: { queueWeight: 200, queuedExecutions: 5 } });
    expect(await operator.organizations.get(id)).toEqual(changed);
    using own = new sdk.Drydock({ url: httpUrl, apiKey: secret });
    await expect(own.organizations.list().toArray()).rejects.toThrow(sdk.PermissionDeniedError);
    await operator.organizations.delete(id);
    await expect(operator.organizations.get(id)).rejects.toThrow(sdk.NotFoundError);
  },

  async webhooks() {
    await using tenant = await openTenant();
    const { webhooks } = tenant.drydock;
    const { webhook, secret } = await webhooks.create('https://example.com/hook');
    expect(secret).toMatch(/^whs_/);
    expect(await webhooks.list().toArray()).toEqual([webhook]);
    expect(await webhooks.get(webhook.id)).toEqual(webhook);
    expect((await webhooks.rotateSecret(webhook.id)).secret).not.toBe(secret);
    expect(await webhooks.deliveries(webhook.id).toArray()).toEqual([]);
    await webhooks.delete(webhook.id);
    await expect(webhooks.get(webhook.id)).rejects.toThrow(sdk.NotFoundError);
    await expect(webhooks.create('ftp://example.com')).rejects.toThrow(sdk.InvalidArgumentError);
  },

  async templates() {
    const { templates } = operator;
    expect((await templates.list().toArray()).map(({ id }) => id)).toContain('python');
    expect(await templates.get('python')).toMatchObject({ defaultLimits: { memoryBytes: expect.any(Number) } });
    expect((await templates.languages().toArray()).length).toBeGreaterThan(20);
  },
};
