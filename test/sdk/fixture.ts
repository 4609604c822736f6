import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import { inject } from 'vitest';
import type * as Sdk from '../../libs/sdk/typescript/src/index.ts';

/** The SDK as its users have it: packed and installed. */
export const sdk = (await import(
  pathToFileURL(join(inject('sdk').project, 'node_modules/@drydock/sdk/dist/index.js')).href
)) as typeof Sdk;

export const { httpUrl, apiKey } = inject('sdk');

type TenantOptions = { quota?: Sdk.QuotaOptions; url?: string; maxRetries?: number };

/** A client of an organisation of its own, whose sandboxes go with it. */
export async function openTenant({ quota, url = httpUrl, maxRetries = 10 }: TenantOptions = {}) {
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
export async function openSandbox(options: TenantOptions = {}) {
  const tenant = await openTenant(options);
  const sandbox = await tenant.drydock.sandboxes.create('python', { lifetime: '5m' });
  return Object.assign(tenant, { sandbox });
}

/** Runs a module in the project of a user; it ends by itself, so the client keeps no process alive. */
export async function runModule(source: string, env: Record<string, string>): Promise<string> {
  const args = ['--input-type=module', '--eval', source];
  const { stdout } = await promisify(execFile)(process.execPath, args, {
    cwd: inject('sdk').project,
    env: { HOME: '/nowhere', ...env },
  });
  return stdout.trim();
}

export type Scenario = () => Promise<void>;
