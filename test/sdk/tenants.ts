import type * as Sdk from '../../libs/sdk/typescript/src/index.ts';

type TenantOptions = { quota?: Sdk.QuotaOptions; url?: string; maxRetries?: number };

/** Makes tenants of a platform by the key of its operator. */
export function createTenants(sdk: typeof Sdk, { httpUrl, apiKey }: { httpUrl: string; apiKey: string }) {
  /** A client of an organisation of its own, whose sandboxes go with it. */
  async function openTenant({ quota, url = httpUrl, maxRetries = 10 }: TenantOptions = {}) {
    using operator = new sdk.Drydock({ url: httpUrl, apiKey });
    const { organization, secret } = await operator.organizations.create('sdk', quota ? { quota } : {});
    const drydock = new sdk.Drydock({ url, apiKey: secret, maxRetries });
    return {
      drydock,
      secret,
      organizationId: organization.id,
      async [Symbol.asyncDispose]() {
        drydock.close();
        using operator = new sdk.Drydock({ url: httpUrl, apiKey });
        await operator.organizations.delete(organization.id);
      },
    };
  }

  /** A sandbox of its own tenant, and a client that reaches it by `url`. */
  async function openSandbox(options: TenantOptions = {}) {
    const tenant = await openTenant(options);
    const sandbox = await tenant.drydock.sandboxes.create('python', { lifetime: '5m' });
    return Object.assign(tenant, { sandbox });
  }

  return { openTenant, openSandbox };
}
