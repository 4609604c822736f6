import { afterAll, expect, vi } from 'vitest';
import { connectGrpc, connectHttp, type Endpoints } from './api.ts';
import { connectWire } from './wire.ts';

/** An organisation of its own, with the secret of its first key and clients that use it. */
export async function createTenant(platform: Endpoints & { apiKey: string }, concurrentSandboxes = 10) {
  using operator = connectGrpc(platform, platform.apiKey);
  const made = await operator.auth.createOrganization({
    displayName: 'tenant',
    quota: { concurrentSandboxes },
    requestId: '',
  });
  const api = connectGrpc(platform, made.secret);
  return { ...made, api, http: connectHttp(platform, made.secret), [Symbol.dispose]: () => api[Symbol.dispose]() };
}

export type Tenant = Awaited<ReturnType<typeof createTenant>>;

/** No call left a sandbox, or an execution in a state other than these, and nothing holds any of the quota. */
export async function expectNothingLeft({ api, http, organization }: Tenant, states: string[] = []): Promise<void> {
  const live = async () => (await http('GET', '/v1/sandboxes?states=RUNNING&states=PENDING')).body.sandboxes;
  await vi.waitFor(async () => expect(await live()).toEqual([]));
  const executions = async (): Promise<{ state: string }[]> => (await http('GET', '/v1/executions')).body.executions;
  const others = async () => (await executions()).filter(({ state }) => !states.includes(state));
  await vi.waitFor(async () => expect(await others()).toEqual([]));
  const quota = organization!.quota!.concurrentSandboxes!;
  const made = await Promise.all(Array.from({ length: quota }, () => api.createSandbox()));
  await Promise.all(made.map(({ id }) => api.deleteSandbox(id)));
}

/** A tenant for one test file, which must have left nothing when the file ends but executions in these states. */
export async function tenantOfFile(
  platform: Endpoints & { apiKey: string },
  concurrentSandboxes: number,
  states: string[] = [],
) {
  const tenant = await createTenant(platform, concurrentSandboxes);
  const wire = connectWire(platform, tenant.secret);
  // Hooks of the file itself come first.
  afterAll(async () => {
    await expectNothingLeft(tenant, states);
    wire[Symbol.dispose]();
    tenant[Symbol.dispose]();
  });
  return { tenant, wire };
}
