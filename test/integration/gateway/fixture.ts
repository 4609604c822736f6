import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { vi } from 'vitest';
import { connectGrpc, connectHttp } from '../../api.ts';
import { startNats } from '../../nats.ts';
import { freePort } from '../../ports.ts';
import { startPostgres } from '../../postgres.ts';
import { startService } from '../../service-process.ts';
import { startStubExecutor } from './stub-executor.ts';

const root = join(import.meta.dirname, '../../..');

export type Fixture = Awaited<ReturnType<typeof startFixture>>;

/** Everything of a platform but its executor, each part a process of its own as in production. */
export async function startFixture(environment: Record<string, string> = {}) {
  await using owned = new AsyncDisposableStack();
  const postgres = owned.use(await startPostgres());
  const nats = owned.use(await startNats());
  const databaseUrl = await postgres.createDatabase();
  const bootstrap = await promisify(execFile)(process.execPath, [join(root, 'services/auth/bootstrap.ts')], {
    env: { DATABASE_URL: databaseUrl },
  });
  const { secret: operatorKey } = JSON.parse(bootstrap.stdout) as { secret: string };
  const executor = owned.use(await startStubExecutor(nats.url));

  const at = async () => `127.0.0.1:${await freePort()}`;
  const gatewayAddress = await at();
  const httpAddress = await at();
  const shared: Record<string, string> = {
    DATABASE_URL: databaseUrl,
    NATS_URL: nats.url,
    CATALOG_FILE: join(root, 'deploy/images/catalog.json'),
    AUTH_ADDRESS: await at(),
    SESSION_ADDRESS: await at(),
    SCHEDULER_ADDRESS: await at(),
    GATEWAY_ADDRESS: gatewayAddress,
    GATEWAY_HTTP_ADDRESS: httpAddress,
    ...environment,
  };
  const start = async (name: string) => {
    const service = startService(name, { ...shared, [`${name.toUpperCase()}_METRICS_ADDRESS`]: '127.0.0.1:0' });
    await service.listening;
    return service;
  };
  const auth = owned.use(await start('auth'));
  const session = owned.use(await start('session'));
  owned.use(await start('scheduler'));
  const gateway = owned.use(await start('gateway'));

  const endpoints = { gatewayAddress, httpUrl: `http://${httpAddress}` };
  const operator = connectHttp(endpoints, operatorKey);
  await vi.waitFor(
    async () => {
      const { status, body } = await operator('POST', '/v1/executions:run', { language: 'python', source: '1' });
      if (status !== 200) throw new Error(`not ready: ${JSON.stringify(body)}`);
    },
    { timeout: 20_000, interval: 100 },
  );
  const kept = owned.move();
  return {
    ...endpoints,
    executor,
    auth,
    session,
    gateway,
    postgres,
    nats,
    operatorKey,
    start,
    grpc: (credential: string) => kept.use(connectGrpc(endpoints, credential)),
    http: (credential: string) => connectHttp(endpoints, credential),
    /** A new organisation's first key. */
    async newOrganization(displayName = 'test'): Promise<{ key: string; apiKeyId: string; organizationId: string }> {
      const { body } = await operator('POST', '/v1/organizations', { displayName });
      return { key: body.secret, apiKeyId: body.apiKey.id, organizationId: body.organization.id };
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
