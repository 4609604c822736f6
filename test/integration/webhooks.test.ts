import { execa } from 'execa';
import pino from 'pino';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createClient } from '#libs/grpc/client.ts';
import { openDatabase } from '#libs/postgres/database.ts';
import { RecordServiceDefinition } from '#proto/drydock/internal/v1/session.ts';
import { Execution } from '#proto/drydock/v1/execution.ts';
import { connectHttp } from '../support/api.ts';
import { type Nats, startNats } from '../support/nats.ts';
import { freePort } from '../support/ports.ts';
import { type Postgres, startPostgres } from '../support/postgres.ts';
import { startService } from '../support/service-process.ts';
import { type Receiver, readVerify, startReceiver } from '../support/webhook-receiver.ts';

const log = pino({ level: 'silent' });
let postgres: Postgres;
let nats: Nats;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
});
afterAll(async () => {
  await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

/** auth, session and a gateway that may send to loopback; the test takes the place of scheduler and executors. */
async function startParts() {
  const stack = new AsyncDisposableStack();
  const url = await postgres.createDatabase();
  const { stdout } = await execa(process.execPath, ['services/auth/bootstrap.ts'], { env: { DATABASE_URL: url } });
  const operatorKey = JSON.parse(stdout).secret;
  const start = (name: string, environment: Record<string, string>) => {
    const prefix = name.toUpperCase();
    const own = { [`${prefix}_ADDRESS`]: '127.0.0.1:0', [`${prefix}_METRICS_ADDRESS`]: '127.0.0.1:0' };
    return stack.use(startService(name, { DATABASE_URL: url, NATS_URL: nats.url, ...own, ...environment }));
  };
  const [auth, session] = [start('auth', {}), start('session', {})];
  const addresses = {
    AUTH_ADDRESS: `127.0.0.1:${await auth.listening}`,
    SESSION_ADDRESS: `127.0.0.1:${await session.listening}`,
    GATEWAY_WEBHOOK_ALLOWED_RANGES: '127.0.0.0/8',
    GATEWAY_WEBHOOK_ALLOWED_PORTS: '1024-65535',
  };
  const startGateway = async (environment: Record<string, string> = {}) => {
    const port = await freePort();
    const http = `127.0.0.1:${port}`;
    const gateway = start('gateway', { ...addresses, GATEWAY_HTTP_ADDRESS: http, ...environment });
    await gateway.listening;
    return { ...gateway, api: (key: string) => connectHttp({ gatewayAddress: '', httpUrl: `http://${http}` }, key) };
  };
  const db = stack.use(openDatabase(url, 'session', log));
  const records = stack.use(createClient(RecordServiceDefinition, addresses.SESSION_ADDRESS));

  /** An organisation with a webhook, over the public API of a gateway. */
  const organisation = async ({ api }: Awaited<ReturnType<typeof startGateway>>, { url }: Pick<Receiver, 'url'>) => {
    const made = await api(operatorKey)('POST', '/v1/organizations', { displayName: 'tenant' });
    const organizationId: string = made.body.organization.id;
    const key: string = made.body.secret;
    const call = api(key);
    const { status, body } = await call('POST', '/v1/webhooks', { url });
    expect(status).toBe(200);
    const webhookPath = `/v1/webhooks/${body.webhook.id}`;
    const caller = { organizationId, apiKeyId: '', scopes: [], quota: undefined };
    return {
      key,
      call,
      webhookPath,
      secret: body.secret as string,
      deliveries: async () => (await call('GET', `${webhookPath}/deliveries`)).body.deliveries,
      /** Submits executions and ends them; answers with their ids. */
      async run(count: number): Promise<string[]> {
        const requests = Array(count).fill({ language: 'python', source: 'print(1)' });
        const { body } = await call('POST', '/v1/executions:batch', { requests });
        for (let n = 0; n < count; n++) {
          const { spec, attempt } = await records.takeExecution({}, { caller });
          const result = Execution.create({
            id: spec!.executionId,
            state: 'FINISHED',
            verdict: 'ACCEPTED',
            exitCode: 0,
          });
          const outputs = { stdout: Buffer.from('1\n'), stderr: Buffer.alloc(0) };
          await records.completeExecution(
            { execution: result, attempt, insertIfMissing: false, transcript: Buffer.alloc(0), ...outputs },
            { caller },
          );
        }
        // biome-ignore lint/suspicious/noExplicitAny: JSON
        return body.results.map((result: any) => result.execution.id).sort();
      },
    };
  };
  return {
    startGateway,
    organisation,
    states: () => db.query('select state, attempts from webhook_deliveries'),
    /** As if so much time had passed for what is being sent, or waits to be sent again. */
    advance: (interval: string) =>
      db.query(
        `update webhook_deliveries set lease_expire = lease_expire - $1::interval,
           next_attempt_time = next_attempt_time - $1::interval`,
        [interval],
      ),
    [Symbol.asyncDispose]: () => stack.disposeAsync(),
  };
}

const executionsOf = ({ received }: Receiver): string[] =>
  [...new Set(received.map(({ event }) => event.execution.id))].sort();

test('the end of an execution reaches its webhook, signed with the secret that was shown', async () => {
  const verify = await readVerify();
  await using parts = await startParts();
  const gateway = await parts.startGateway();
  await using receiver = await startReceiver();
  const tenant = await parts.organisation(gateway, receiver);
  const [id] = await tenant.run(1);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
  const { headers, body, event } = receiver.received[0]!;
  expect(verify(headers, body, tenant.secret)).toBe(true);
  const { body: execution } = await tenant.call('GET', `/v1/executions/${id}`);
  expect(event).toEqual({ id: headers['drydock-webhook-id'], type: 'execution.finished', execution });

  const rotated = await tenant.call('POST', `${tenant.webhookPath}:rotateSecret`, {});
  expect(rotated.status).toBe(200);
  const again = await tenant.call('POST', `${tenant.webhookPath}/deliveries/${event.id}:redeliver`, {});
  expect(again).toMatchObject({ status: 200, body: { id: event.id, state: 'PENDING' } });
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(2);
  const second = receiver.received[1]!;
  expect(second.event.id).toBe(event.id);
  for (const secret of [tenant.secret, rotated.body.secret])
    expect(verify(second.headers, second.body, secret)).toBe(true);
  expect(verify(headers, body, rotated.body.secret)).toBe(false);
  await expect.poll(tenant.deliveries).toMatchObject([{ state: 'DELIVERED', attempts: 2, lastStatusCode: 200 }]);
  expect(JSON.stringify(await tenant.call('GET', '/v1/webhooks'))).not.toContain('whs_');
  expect(await tenant.call('DELETE', tenant.webhookPath)).toMatchObject({ status: 200 });
  expect(await tenant.call('GET', tenant.webhookPath)).toMatchObject({ status: 404 });
});

test('a receiver that fails is tried again, and its answers are on record', async () => {
  await using parts = await startParts();
  const gateway = await parts.startGateway();
  const answers = [500, 302, 200];
  await using receiver = await startReceiver((response) => {
    response.writeHead(answers[receiver.received.length - 1] ?? 200, { location: 'http://169.254.169.254/' }).end();
  });
  const tenant = await parts.organisation(gateway, receiver);
  await tenant.run(1);
  const recorded = (delivery: object) => expect.poll(tenant.deliveries, { timeout: 10_000 }).toMatchObject([delivery]);
  const waiting = { state: 'PENDING', nextAttemptTime: expect.any(String) };
  await recorded({ ...waiting, attempts: 1, lastStatusCode: 500, lastError: 'answered 500' });
  await parts.advance('1 hour');
  await recorded({ ...waiting, attempts: 2, lastStatusCode: 302, lastError: expect.stringMatching(/redirect/) });
  await parts.advance('1 hour');
  await recorded({ state: 'DELIVERED', attempts: 3, lastStatusCode: 200, lastError: '' });
  expect(new Set(receiver.received.map(({ event }) => event.id)).size).toBe(1);
});

test('a receiver on this machine is not sent to unless the operator allows it', async () => {
  await using parts = await startParts();
  const gateway = await parts.startGateway({ GATEWAY_WEBHOOK_ALLOWED_RANGES: '10.1.0.0/16' });
  await using receiver = await startReceiver();
  const tenant = await parts.organisation(gateway, receiver);
  await tenant.run(1);
  await expect
    .poll(tenant.deliveries, { timeout: 10_000 })
    .toMatchObject([{ state: 'PENDING', lastStatusCode: 0, lastError: 'the host has no public address' }]);
  expect(receiver.received).toEqual([]);
});

test('every end reaches its receiver though the gateway is killed while it sends', async () => {
  await using parts = await startParts();
  const gateway = await parts.startGateway();
  let silent = true;
  await using receiver = await startReceiver((response) => silent || response.end());
  const tenant = await parts.organisation(gateway, receiver);
  const ids = await tenant.run(12);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(4);
  await gateway.kill();
  silent = false;
  const another = await parts.startGateway();
  // Four leases are held by nobody; what is left has room again when they are over.
  await parts.advance('61 s');
  await expect.poll(() => executionsOf(receiver), { timeout: 20_000 }).toEqual(ids);
  const list = () => another.api(tenant.key)('GET', `${tenant.webhookPath}/deliveries`);
  await expect
    .poll(async () => (await list()).body.deliveries.map(({ state }: { state: string }) => state), { timeout: 10_000 })
    .toEqual(Array(12).fill('DELIVERED'));
});

test('a gateway that is stopped finishes what it sends', async () => {
  await using parts = await startParts();
  const gateway = await parts.startGateway();
  const answer = Promise.withResolvers<void>();
  await using receiver = await startReceiver((response) => answer.promise.then(() => response.end()));
  const tenant = await parts.organisation(gateway, receiver);
  await tenant.run(1);
  await expect.poll(() => receiver.received.length, { timeout: 10_000 }).toBe(1);
  const stopped = gateway.stop();
  await gateway.logged('stopping');
  answer.resolve();
  expect(await stopped).toBe(0);
  expect(await parts.states()).toEqual([{ state: 'DELIVERED', attempts: 1 }]);
});

test('a receiver that does not answer holds up its own organisation alone', async () => {
  await using parts = await startParts();
  const gateway = await parts.startGateway({ GATEWAY_WEBHOOK_CONCURRENCY: '8' });
  await using silent = await startReceiver(() => {});
  await using quick = await startReceiver();
  const slow = await parts.organisation(gateway, silent);
  const other = await parts.organisation(gateway, quick);
  await slow.run(20);
  await expect.poll(() => silent.received.length, { timeout: 10_000 }).toBe(4);
  const ids = await other.run(20);
  const started = performance.now();
  await expect.poll(() => executionsOf(quick), { timeout: 10_000 }).toEqual(ids);
  // The slow ones are given up after 10 s.
  expect(performance.now() - started).toBeLessThan(5_000);
  expect(silent.received).toHaveLength(4);
});
