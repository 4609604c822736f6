import { randomBytes } from 'node:crypto';
import { execa } from 'execa';
import { expect, test } from 'vitest';
import { connectHttp } from '../support/api.ts';
import { freePort } from '../support/ports.ts';
import { startPostgres } from '../support/postgres.ts';
import { startService } from '../support/service-process.ts';

test.each([
  ['a key', 'revoked'],
  ['an organisation', 'deleted'],
])(
  'without NATS %s and its tokens end within seconds of being %s, also at a gateway that starts later',
  async (what) => {
    await using stack = new AsyncDisposableStack();
    const postgres = stack.use(await startPostgres());
    const DATABASE_URL = await postgres.createDatabase();
    const NATS_URL = `nats://127.0.0.1:${await freePort()}`;
    const operatorKey = `dk_${randomBytes(32).toString('base64url')}`;
    const env = { DATABASE_URL, OPERATOR_API_KEY: operatorKey };
    await execa(process.execPath, ['services/auth/bootstrap.ts'], { env });
    const start = (name: string, more: Record<string, string>) => {
      const prefix = name.toUpperCase();
      const own = { [`${prefix}_ADDRESS`]: '127.0.0.1:0', [`${prefix}_METRICS_ADDRESS`]: '127.0.0.1:0' };
      return stack.use(startService(name, { DATABASE_URL, NATS_URL, ...own, ...more }));
    };
    const AUTH_ADDRESS = `127.0.0.1:${await start('auth', {}).listening}`;
    const startGateway = async () => {
      const address = `127.0.0.1:${await freePort()}`;
      await start('gateway', { AUTH_ADDRESS, GATEWAY_HTTP_ADDRESS: address }).listening;
      return (credential: string) => connectHttp({ gatewayAddress: '', httpUrl: `http://${address}` }, credential);
    };
    const gateway = await startGateway();
    const operator = gateway(operatorKey);
    const made = await operator('POST', '/v1/organizations', { displayName: 'of one key' });
    const { secret, apiKey, organization } = made.body;
    const exchanged = await gateway(secret)('POST', '/v1/tokens:exchange', {});
    const { token } = exchanged.body;
    const statusOf = async (through: typeof gateway, credential: string) =>
      (await through(credential)('GET', '/v1/apiKeys')).status;
    for (const credential of [secret, token]) await expect.poll(() => statusOf(gateway, credential)).toBe(200);

    if (what === 'a key') await gateway(secret)('DELETE', `/v1/apiKeys/${apiKey.id}`);
    else await operator('DELETE', `/v1/organizations/${organization.id}`);
    for (const credential of [secret, token])
      await expect.poll(() => statusOf(gateway, credential), { timeout: 5_000 }).toBe(401);
    const later = await startGateway();
    // Until it knows what was revoked it takes no token; at no time it takes this one.
    for (let tries = 0; tries < 100; tries++) expect([401, 503]).toContain(await statusOf(later, token));
    await expect.poll(() => statusOf(later, token)).toBe(401);
  },
);
