import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import type { Platform } from '../../deploy/local/platform.ts';
import { connectGrpc, connectHttp, textOf } from '../support/api.ts';
import { startTestPlatform } from '../support/platform.ts';
import { CALLS, connectWire, type Wire } from '../support/wire.ts';

const MAX_SANDBOXES = 4;
const EXECUTORS = ['executor-1', 'executor-2'] as const;
const COUNT = 'import time\nfor i in range(120): print(i, flush=True); time.sleep(0.1)';
const COUNTED = Array.from({ length: 120 }, (_, i) => `${i}\n`).join('');
/** What “fails fast” is, on a machine that is busy with other things. */
const FAST_MS = 4_000;
const UNSEEN = { displayName: 'unseen', scopes: ['sandboxes'], requestId: '', expireTime: undefined };
const create = { template: 'python', lifetime: '600s' };

let platform: Platform;
let api: ReturnType<typeof connectGrpc>;
let wire: Wire;
beforeAll(async () => {
  platform = await startTestPlatform({ environment: { EXECUTOR_MAX_SANDBOXES: String(MAX_SANDBOXES) } });
  connect();
});
afterAll(async () => {
  disconnect();
  await platform[Symbol.asyncDispose]();
});

function connect(): void {
  api = connectGrpc(platform, platform.apiKey);
  wire = connectWire(platform, platform.apiKey);
}

function disconnect(): void {
  api[Symbol.dispose]();
  wire[Symbol.dispose]();
}

const living = async () =>
  (await api.sandboxes.listSandboxes({ pageSize: 0, pageToken: '', states: ['RUNNING'], metadataFilters: [] }))
    .sandboxes;
afterEach(async () => {
  for (const { id } of await living()) await api.deleteSandbox(id);
});

const metricsOf = async (executor: string) => (await fetch(platform.metricsUrls.get(executor)!)).text();

async function held(executor: string): Promise<number> {
  return Number(/^executor_sandboxes (\d+)/m.exec(await metricsOf(executor))?.[1]);
}

/** Until then the one that is warm first gets more than its share. */
async function untilWarm(executor: string): Promise<void> {
  const warm = async () =>
    Number(/^executor_warm_sandboxes\{template="python"\} (\d+)/m.exec(await metricsOf(executor))?.[1]);
  await expect.poll(warm, { timeout: 60_000 }).toBeGreaterThanOrEqual(MAX_SANDBOXES / 2);
}

/** Sandboxes with a file each, until both executors have some. How many is not exact: news of room is up to a second old. */
async function fillBoth(): Promise<string[]> {
  const ids: string[] = [];
  await Promise.all(EXECUTORS.map(untilWarm));
  while (ids.length < MAX_SANDBOXES || (await Promise.all(EXECUTORS.map(held))).includes(0)) {
    const { id } = await api.createSandbox();
    await api.writeFile(id, 'kept.txt', id);
    ids.push(id);
  }
  return ids;
}

const said = async (sandboxId: string) => (await api.command(sandboxId, ['echo', 'yes'])).stdout;

describe('two executors', () => {
  test('share the sandboxes', async () => {
    expect(await fillBoth()).toHaveLength(MAX_SANDBOXES);
  });

  test('one that is killed is passed over, and has its sandboxes again when it is back', async () => {
    const ids = await fillBoth();
    const [lost, kept] = (await Promise.all(EXECUTORS.map(held))) as [number, number];
    await platform.kill('executor-1');
    const beside = await Promise.all(Array.from({ length: MAX_SANDBOXES - kept }, () => api.createSandbox()));
    for (const { id } of beside) expect(await said(id)).toBe('yes\n');
    expect(await held('executor-2')).toBe(MAX_SANDBOXES);
    const results = await Promise.allSettled(ids.map((id) => said(id)));
    const refused = results.flatMap((result) => (result.status === 'rejected' ? [result.reason] : []));
    expect(refused).toHaveLength(lost);
    for (const { reason, details } of refused)
      expect({ reason, ...details }).toMatchObject({ reason: 'SERVICE_UNAVAILABLE', retryAfterMs: 1_000 });

    await platform.restart('executor-1');
    for (const id of ids) {
      await expect.poll(() => said(id).catch(({ reason }) => reason), { timeout: 10_000 }).toBe('yes\n');
      expect((await api.readFile(id, 'kept.txt')).toString()).toBe(id);
    }
    expect(await held('executor-1')).toBe(lost);
  });

  test('that are full say so, and when to try again', async () => {
    await Promise.all(Array.from({ length: 2 * MAX_SANDBOXES }, () => api.createSandbox()));
    // The gateway closes a connection that has made no call for 10 s.
    disconnect();
    connect();
    const http = await wire.http(CALLS.createSandbox, create);
    const grpc = await wire.grpc(CALLS.createSandbox, create);
    expect(http).toMatchObject({ status: 429, reason: 'NO_CAPACITY', retryAfterSeconds: 1 });
    expect(http.headers['retry-after']).toBe('1');
    expect(grpc).toMatchObject({ code: 8, reason: 'NO_CAPACITY', retryAfterSeconds: 1, message: http.message });
    const run = { language: 'python', source: 'print(1)' };
    expect(await wire.http(CALLS.runCode, run)).toMatchObject({ status: 429, reason: 'NO_CAPACITY' });

    const [first] = await living();
    await api.deleteSandbox(first!.id);
    expect(await wire.http(CALLS.createSandbox, create)).toMatchObject({ status: 200 });
    expect(await living()).toHaveLength(2 * MAX_SANDBOXES);
  });
});

/** Begins to count in a detached process, and leaves it after its first line. */
async function beginCounting(sandboxId: string): Promise<string> {
  let processId = '';
  for await (const { event } of api.start(sandboxId, ['python3', '-c', COUNT], { detached: true })) {
    if (event?.$case === 'started') processId = event.value.processId;
    if (event?.$case === 'stdout') break;
  }
  return processId;
}

/** The rest of what it counts, from the byte on that a client has not seen. */
async function joinAt(sandboxId: string, processId: string, stdoutOffset: number): Promise<string> {
  let rest = '';
  for await (const { event } of api.processes.connectProcess({ sandboxId, processId, stdoutOffset, stderrOffset: 0 }))
    if (event?.$case === 'stdout') rest += textOf(event.value);
  return rest;
}

async function expectRefusedFast(): Promise<void> {
  for (const transport of ['http', 'grpc'] as const) {
    const begun = performance.now();
    const refusal = await wire[transport](CALLS.createSandbox, create);
    expect(refusal).toMatchObject({ code: 14, reason: 'SERVICE_UNAVAILABLE', retryAfterSeconds: 1 });
    if ('status' in refusal) expect(refusal).toMatchObject({ status: 503, headers: { 'retry-after': '1' } });
    expect(performance.now() - begun).toBeLessThan(FAST_MS);
  }
}

describe('while a part of the platform is killed and comes back', () => {
  test('a process goes on and is joined again where its client was', async () => {
    const { id } = await api.createSandbox();
    const processId = await beginCounting(id);
    for (const part of ['scheduler', 'session', 'gateway']) {
      await platform.kill(part);
      await platform.restart(part);
    }
    // A client connects anew, as any does whose server is gone.
    disconnect();
    connect();
    expect(await joinAt(id, processId, 4)).toBe(COUNTED.slice(4));
  });

  test('the first call to a gateway that has just started finds its sandbox', async () => {
    const { id } = await api.createSandbox();
    await platform.kill('gateway');
    await platform.restart('gateway');
    disconnect();
    connect();
    expect(await said(id)).toBe('yes\n');
  });

  test('without auth what it has admitted goes on, what was revoked stays refused, and an unknown key has to wait', async () => {
    const make = async () => {
      const fields = {
        displayName: 'of failover',
        scopes: ['sandboxes', 'keys'],
        requestId: '',
        expireTime: undefined,
      };
      const { apiKey, secret } = await api.auth.createApiKey(fields);
      const exchange = async () => (await connectHttp(platform, secret)('POST', '/v1/tokens:exchange', {})).body.token;
      return { id: apiKey!.id, key: secret, token: await exchange(), unused: await exchange() };
    };
    const ask = (credential: string) => connectHttp(platform, credential)('GET', '/v1/sandboxes');
    const statuses = (credentials: string[]) => Promise.all(credentials.map(async (each) => (await ask(each)).status));
    const [good, revoked, unseen] = [await make(), await make(), (await api.auth.createApiKey(UNSEEN)).secret];
    await api.auth.revokeApiKey({ apiKeyId: revoked.id, revokeDescendants: false });
    const refused = [revoked.key, revoked.token, revoked.unused];
    await expect.poll(() => statuses(refused), { timeout: 5_000 }).toEqual([401, 401, 401]);
    const admitted = [good.key, good.token];
    expect(await statuses(admitted)).toEqual([200, 200]);

    await platform.kill('auth');
    expect(await statuses([...admitted, good.unused])).toEqual([200, 200, 200]);
    expect(await statuses([...refused, `${good.token}x`])).toEqual([401, 401, 401, 401]);
    const { status, body, headers } = await ask(unseen);
    expect({ status, ...body.details[0] }).toMatchObject({ status: 503, reason: 'SERVICE_UNAVAILABLE' });
    expect(headers.get('retry-after')).toBe('1');

    await platform.restart('auth');
    await expect.poll(() => statuses([unseen]), { timeout: 15_000 }).toEqual([200]);
    expect(await statuses([...admitted, ...refused])).toEqual([200, 200, 401, 401, 401]);
  });

  test.each(['scheduler', 'session', 'postgres'])(
    'without %s running sandboxes are usable, and creates fail fast until it is back',
    async (part) => {
      const { id } = await api.createSandbox();
      await api.writeFile(id, 'kept.txt', part);
      await platform.kill(part);
      expect(await said(id)).toBe('yes\n');
      expect((await api.readFile(id, 'kept.txt')).toString()).toBe(part);
      await expectRefusedFast();
      expect(await said(id)).toBe('yes\n');

      await platform.restart(part);
      const again = () => wire.http(CALLS.createSandbox, create).then(({ status }) => status);
      await expect.poll(again, { timeout: 15_000 }).toBe(200);
      expect((await api.readFile(id, 'kept.txt')).toString()).toBe(part);
    },
  );
});
