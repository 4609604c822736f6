import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, inject } from 'vitest';
import { createAuthority } from '#libs/certificates/authority.ts';
import { freePort } from '../../support/ports.ts';
import { startService } from '../../support/service-process.ts';
import { apiKey, httpUrl, openTenant, runModule, type Scenario, sdk, startProxy } from '../fixture.ts';

const HELLO =
  "import { Drydock } from '@drydock/sdk'; console.log((await new Drydock().run('python', 'print(42)')).stdout)";

export const clients: Record<string, Scenario> = {
  async 'client-from-environment'() {
    expect(await runModule(HELLO, { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey })).toBe('42');
  },

  async 'client-from-profile'() {
    const home = await mkdtemp(join(tmpdir(), 'drydock-home-'));
    await mkdir(join(home, '.config/drydock'), { recursive: true });
    const profiles = `[profiles.default]\nurl = "http://127.0.0.1:1"\n[profiles.test]\nurl = "${httpUrl}"\napi_key = "${apiKey}"\n`;
    await writeFile(join(home, '.config/drydock/config.toml'), profiles);
    expect(await runModule(HELLO, { HOME: home, DRYDOCK_PROFILE: 'test' })).toBe('42');
    await expect(runModule(HELLO, { HOME: home, DRYDOCK_PROFILE: 'other' })).rejects.toThrow(/has no profile 'other'/);
  },

  async 'no-key'() {
    await expect(runModule(HELLO, { DRYDOCK_URL: httpUrl })).rejects.toThrow(/no API key: set DRYDOCK_API_KEY/);
  },

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

  async 'not-drydock'() {
    const server = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
    await once(server, 'listening');
    const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    using drydock = new sdk.Drydock({ url, apiKey, maxRetries: 1 });
    await expect(drydock.run('python', '')).rejects.toThrow(url);
    server.close();
  },

  async tls() {
    const authority = await createAuthority('test authority');
    const { certificate, key } = await authority.issue('CN=gateway', { ip: ['127.0.0.1'] });
    const directory = await mkdtemp(join(tmpdir(), 'drydock-tls-'));
    const [certificateFile, keyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')];
    await writeFile(certificateFile, certificate);
    await writeFile(keyFile, key);
    const port = await freePort();
    await using gateway = startService('gateway', {
      ...inject('sdk').gateway,
      GATEWAY_ADDRESS: '127.0.0.1:0',
      GATEWAY_HTTP_ADDRESS: `127.0.0.1:${port}`,
      GATEWAY_TLS_CERT_FILE: certificateFile,
      GATEWAY_TLS_KEY_FILE: keyFile,
    });
    await gateway.listening;
    const ca = authority.certificate;
    const hello = async (options: { url: string; ca?: string }) => {
      using drydock = new sdk.Drydock({ apiKey, maxRetries: 1, ...options });
      return (await drydock.run('python', 'print(42)')).stdout;
    };
    expect(await hello({ url: `https://127.0.0.1:${port}`, ca })).toBe('42\n');
    await expect(hello({ url: `https://127.0.0.1:${port}` })).rejects.toThrow(/cannot be reached: .*certificate/);
    await expect(hello({ url: `https://localhost:${port}`, ca })).rejects.toThrow(
      /cannot be reached: .*does not match/,
    );
    await expect(hello({ url: `http://127.0.0.1:${port}` })).rejects.toThrow(sdk.UnavailableError);
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
