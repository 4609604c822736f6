import Docker from 'dockerode';
import { afterAll, describe, expect, inject, test } from 'vitest';
import { UpdateOrganizationRequest } from '#proto/drydock/v1/auth.ts';
import { connectGrpc, connectHttp } from '../support/api.ts';
import { createTenant } from '../support/tenants.ts';

const platform = inject('platform');
const operator = connectGrpc(platform, platform.apiKey);
const operatorHttp = connectHttp(platform, platform.apiKey);
const docker = new Docker({ socketPath: process.env.DOCKER_SOCKET ?? '/var/run/docker.sock' });
const opened: Disposable[] = [operator];
afterAll(() => {
  for (const api of opened) api[Symbol.dispose]();
});

async function newTenant(concurrentSandboxes?: number) {
  const tenant = await createTenant(platform, concurrentSandboxes);
  opened.push(tenant);
  return tenant;
}

test('the quota holds against a burst', async () => {
  const { api } = await newTenant(3);
  const results = await Promise.allSettled(Array.from({ length: 8 }, () => api.createSandbox()));
  const made = results.filter((result) => result.status === 'fulfilled').map(({ value }) => value.id);
  const refused = results.filter((result) => result.status === 'rejected').map(({ reason }) => reason.reason);
  expect(made).toHaveLength(3);
  expect(new Set(refused)).toEqual(new Set(['QUOTA_EXCEEDED']));
  await Promise.all(made.map((id) => api.deleteSandbox(id)));
});

test('a token stands for its key, and both end within a second when the key is revoked, open streams too', async () => {
  const { api, apiKey, http } = await newTenant();
  const { token } = await api.auth.exchangeToken({});
  const byToken = connectGrpc(platform, token);
  opened.push(byToken);
  const { id } = await byToken.createSandbox();
  const stream = byToken.start(id, ['sleep', '60'])[Symbol.asyncIterator]();
  await stream.next();
  const cut = stream.next();
  cut.catch(() => {});
  const started = performance.now();
  await api.auth.revokeApiKey({ apiKeyId: apiKey?.id ?? '', revokeDescendants: false });
  await expect(cut).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
  expect(performance.now() - started).toBeLessThan(1_000);
  expect((await http('GET', '/v1/sandboxes')).status).toBe(401);
  await expect(byToken.createSandbox()).rejects.toMatchObject({
    reason: 'CREDENTIAL_INVALID',
  });
});

test('an organisation has another quota as soon as it is changed, over HTTP and gRPC', async () => {
  const { api, http, organization } = await newTenant(1);
  const path = `/v1/organizations/${organization!.id}`;
  const made = [await api.createSandbox()];
  await expect(api.createSandbox()).rejects.toMatchObject({ reason: 'QUOTA_EXCEEDED' });

  const changed = await operatorHttp('PATCH', path, { quota: { concurrentSandboxes: 2 }, displayName: 'grown' });
  expect(changed).toMatchObject({ status: 200, body: { displayName: 'grown' } });
  const { quota } = organization!;
  // JSON has 64-bit numbers as strings.
  expect(changed.body.quota).toEqual({ ...quota, concurrentSandboxes: 2, blobBytes: String(quota!.blobBytes) });
  const another = () =>
    api.createSandbox().then(
      (sandbox) => made.push(sandbox),
      ({ reason }) => reason,
    );
  // Gateways keep a caller for 30 s.
  await expect.poll(another, { timeout: 5_000 }).toBe(2);

  const masked = { displayName: 'not this', quota: { sharedPool: false }, updateMask: 'quota' };
  expect((await operatorHttp('PATCH', path, masked)).body).toMatchObject({
    displayName: 'grown',
    quota: { concurrentSandboxes: 2, sharedPool: false },
  });
  const renaming = { organizationId: organization!.id, displayName: 'renamed', updateMask: ['display_name'] };
  const renamed = await operator.auth.updateOrganization(UpdateOrganizationRequest.create(renaming));
  expect(renamed.organization).toMatchObject({ displayName: 'renamed', quota: { concurrentSandboxes: 2 } });
  const refused = await operatorHttp('PATCH', path, { quota: { queueWeight: 0 } });
  expect(refused).toMatchObject({ status: 400, body: { details: [{ reason: 'INVALID_FIELD' }, expect.anything()] } });
  expect((await http('PATCH', path, { displayName: 'mine' })).status).toBe(403);
  expect((await http('DELETE', path)).status).toBe(403);
  await Promise.all(made.map(({ id }) => api.deleteSandbox(id)));
});

describe('an organisation that is deleted', () => {
  /** Containers of sandboxes in which a command runs. */
  async function containersWith(command: string): Promise<string[]> {
    const containers = await docker.listContainers({ filters: JSON.stringify({ label: ['drydock.executor'] }) });
    const found = containers.map(async ({ Id }) => {
      // Others come and go meanwhile.
      const top: { Processes: string[][] } = await docker
        .getContainer(Id)
        .top()
        .catch(() => ({ Processes: [] }));
      return top.Processes.some((process) => process.join(' ').includes(command)) ? [Id] : [];
    });
    return (await Promise.all(found)).flat();
  }
  const metric = async (service: string, name: string) => {
    const text = await (await fetch(platform.metricsUrls[service]!)).text();
    return Number(new RegExp(`^${name} (\\d+)`, 'm').exec(text)?.[1]);
  };
  /** Executions of everybody that run, and that wait. */
  const executions = () =>
    Promise.all([metric('scheduler', 'scheduler_running_executions'), metric('session', 'session_queued_executions')]);

  test('loses its keys at once, its sandboxes and its executions soon after', async () => {
    const quota = { concurrentSandboxes: 1, concurrentExecutions: 1 };
    const made = await operator.auth.createOrganization({ displayName: 'short-lived', quota, requestId: '' });
    const path = `/v1/organizations/${made.organization!.id}`;
    const api = connectGrpc(platform, made.secret);
    const http = connectHttp(platform, made.secret);
    opened.push(api);
    const { id } = await api.createSandbox();
    const seconds = `${86_400 + Math.random()}`;
    const process = api.start(id, ['sleep', seconds])[Symbol.asyncIterator]();
    await process.next();
    const cut = process.next();
    cut.catch(() => {});
    expect(await containersWith(seconds)).toHaveLength(1);
    const program = { language: 'python', source: 'import time; time.sleep(200)', limits: { wallTime: '250s' } };
    for (let n = 0; n < 2; n++) expect((await http('POST', '/v1/executions', program)).status).toBe(200);
    await expect.poll(executions, { timeout: 30_000 }).toEqual([1, 1]);

    expect(await operatorHttp('DELETE', path)).toMatchObject({ status: 200, body: {} });
    await expect(cut).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
    expect((await http('GET', '/v1/sandboxes')).status).toBe(401);
    await expect(api.createSandbox()).rejects.toMatchObject({ reason: 'CREDENTIAL_INVALID' });
    await expect.poll(() => containersWith(seconds), { timeout: 20_000 }).toEqual([]);
    await expect.poll(executions, { timeout: 20_000 }).toEqual([0, 0]);

    expect((await operatorHttp('GET', path)).status).toBe(404);
    expect((await operatorHttp('PATCH', path, { displayName: 'back' })).status).toBe(404);
    expect((await operatorHttp('DELETE', path)).status).toBe(200);
  });

  test('is never the caller’s own, and must have existed', async () => {
    const { body } = await operatorHttp('GET', '/v1/organizations?pageSize=1000');
    const own = body.organizations.find(({ displayName }: { displayName: string }) => displayName === 'operator');
    const refused = await operatorHttp('DELETE', `/v1/organizations/${own.id}`);
    expect(refused).toMatchObject({ status: 400, body: { message: expect.stringContaining('organizationId') } });
    expect((await operatorHttp('DELETE', '/v1/organizations/org_01jv0000000000000000000000')).status).toBe(404);
    expect((await operatorHttp('GET', '/v1/apiKeys')).status).toBe(200);
  });
});
