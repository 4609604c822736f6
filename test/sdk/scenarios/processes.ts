import { once } from 'node:events';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect } from 'vitest';
import { apiKey, httpUrl, runModule, type Scenario, sdk } from '../fixture.ts';
import { startTlsGateway } from '../gateway.ts';

const HELLO =
  "import { Drydock } from '@drydock/sdk'; console.log((await new Drydock().run('python', 'print(42)')).stdout)";

/** What takes a process with an environment, files and sockets: a page has none of these. */
export const processes: Record<string, Scenario> = {
  async 'client-from-environment'() {
    expect(await runModule!(HELLO, { DRYDOCK_URL: httpUrl, DRYDOCK_API_KEY: apiKey })).toBe('42');
  },

  async 'client-from-profile'() {
    const home = await mkdtemp(join(tmpdir(), 'drydock-home-'));
    await mkdir(join(home, '.config/drydock'), { recursive: true });
    const profiles = `[profiles.default]\nurl = "http://127.0.0.1:1"\n[profiles.test]\nurl = "${httpUrl}"\napi_key = "${apiKey}"\n`;
    await writeFile(join(home, '.config/drydock/config.toml'), profiles);
    expect(await runModule!(HELLO, { HOME: home, DRYDOCK_PROFILE: 'test' })).toBe('42');
    await expect(runModule!(HELLO, { HOME: home, DRYDOCK_PROFILE: 'other' })).rejects.toThrow(/has no profile 'other'/);
  },

  async 'no-key'() {
    await expect(runModule!(HELLO, { DRYDOCK_URL: httpUrl })).rejects.toThrow(/no API key: set DRYDOCK_API_KEY/);
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
    await using gateway = await startTlsGateway();
    const { url, otherHostUrl, httpUrl: plainUrl, ca } = gateway;
    const hello = async (options: { url: string; ca?: string }) => {
      using drydock = new sdk.Drydock({ apiKey, maxRetries: 1, ...options });
      return (await drydock.run('python', 'print(42)')).stdout;
    };
    expect(await hello({ url, ca })).toBe('42\n');
    await expect(hello({ url })).rejects.toThrow(/cannot be reached: .*certificate/);
    await expect(hello({ url: otherHostUrl, ca })).rejects.toThrow(/cannot be reached: .*does not match/);
    await expect(hello({ url: plainUrl })).rejects.toThrow(sdk.UnavailableError);
  },
};
