import { join } from 'node:path';
import { Metadata } from 'nice-grpc-common';
import pino from 'pino';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { readCatalog } from '#libs/catalog/catalog.ts';
import { type Database, migrate, openDatabase } from '#libs/database.ts';
import { connectEvents, type Events } from '#libs/events.ts';
import type { Call } from '#libs/grpc/rpc.ts';
import { newId } from '#libs/ids.ts';
import { SandboxChanged } from '#proto/drydock/internal/v1/events.ts';
import { Execution, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { CreateSandboxRequest, UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { type Nats, startNats } from '../../test/nats.ts';
import { type Postgres, startPostgres } from '../../test/postgres.ts';
import { createReads } from './reads.ts';
import { createRecords } from './records.ts';
import { createSettling, type Settling } from './settling.ts';
import { sweep } from './sweep.ts';

const log = pino({ level: 'silent' });
const migrations = join(import.meta.dirname, '../../migrations/session');
const catalog = readCatalog(join(import.meta.dirname, '../../deploy/images/catalog.json'));

let postgres: Postgres;
let nats: Nats;
let url: string;
let db: Database & AsyncDisposable;
let events: Events & AsyncDisposable;
let settling: Settling & Disposable;

beforeAll(async () => {
  [postgres, nats] = await Promise.all([startPostgres(), startNats()]);
  url = await postgres.createDatabase();
  await Promise.all([migrate(url, 'session', migrations, log), migrate(url, 'session', migrations, log)]);
  db = openDatabase(url, 'session', log);
  events = connectEvents({ url: nats.url, name: 'session', log });
  settling = createSettling(events);
});
afterAll(async () => {
  settling[Symbol.dispose]();
  await events[Symbol.asyncDispose]();
  await db[Symbol.asyncDispose]();
  await Promise.all([postgres[Symbol.asyncDispose](), nats[Symbol.asyncDispose]()]);
});

const changed = () => {};
const records = () => createRecords({ db, catalog, settling, changed });
const reads = () => createReads(db);
const sweepOnce = () => sweep({ db, settling, changed });

function callFor(organizationId: string, concurrentSandboxes = 100, signal = new AbortController().signal): Call {
  const caller = { organizationId, apiKeyId: newId('key'), scopes: [], concurrentSandboxes };
  return { caller, signal, peer: '', metadata: new Metadata() };
}
const someone = (concurrentSandboxes = 100) => callFor(newId('org'), concurrentSandboxes);

const insertSandbox = (call: Call, request: Partial<CreateSandboxRequest> = {}) =>
  records().insertSandbox({ request: CreateSandboxRequest.create({ template: 'python', ...request }) }, call);
const insertExecution = (call: Call, request: Partial<RunCodeRequest> = {}) =>
  records().insertExecution(
    { request: RunCodeRequest.create({ language: 'python', source: 'print(1)', ...request }) },
    call,
  );
/** Another replica's records, and when a call of them waits for what another call began. */
function anotherReplica() {
  const waits = Promise.withResolvers<void>();
  const until: Settling['until'] = (...call) => {
    waits.resolve();
    return settling.until(...call);
  };
  return { waits: waits.promise, replica: createRecords({ db, catalog, settling: { ...settling, until }, changed }) };
}
const run = (call: Call, sandboxId: string, executorId = 'e1') =>
  records().markSandboxRunning({ sandboxId, executorId }, call);
const stop = (call: Call, sandboxId: string) => records().markSandboxStopped({ sandboxId, reason: 'DELETED' }, call);
const complete = (call: Call, id: string, fields: Partial<Execution> = {}, stdout = 'out') => {
  const execution = Execution.create({ id, state: 'FINISHED', verdict: 'ACCEPTED', exitCode: 0, ...fields });
  return records().completeExecution({ execution, stdout: Buffer.from(stdout), stderr: Buffer.alloc(0) }, call);
};

/** Moves the times of a row into the past. */
const age = (table: string, id: string, columns: string[], interval: string) =>
  db.query(
    `update ${table} set ${columns.map((name) => `${name} = ${name} - $2::interval`).join(', ')} where id = $1`,
    [id, interval],
  );

async function told(sandboxId: string): Promise<SandboxChanged[]> {
  const rows = await db.query<{ payload: Buffer }>('select payload from outbox order by position');
  return rows.map(({ payload }) => SandboxChanged.decode(payload)).filter((event) => event.sandboxId === sandboxId);
}

function outcomes(results: PromiseSettledResult<unknown>[]) {
  return {
    succeeded: results.filter(({ status }) => status === 'fulfilled').length,
    reasons: [...new Set(results.flatMap((result) => (result.status === 'rejected' ? [result.reason.reason] : [])))],
  };
}

describe('a sandbox', () => {
  test('goes from PENDING to RUNNING to STOPPED and every step is told', async () => {
    const call = someone();
    const { sandbox, spec } = await insertSandbox(call, {
      environment: { TOKEN: 'secret-value' },
      metadata: { a: 'b' },
    });
    expect(sandbox).toMatchObject({ state: 'PENDING', template: 'python', metadata: { a: 'b' } });
    expect(sandbox!.expireTime!.getTime() - sandbox!.createTime!.getTime()).toBe(300_000);
    expect(sandbox!.limits).toMatchObject({ memoryBytes: 512 << 20, processes: 128, cpus: 0.5 });
    expect(spec).toMatchObject({ environment: { TOKEN: 'secret-value' }, organizationId: call.caller!.organizationId });
    const { id } = sandbox!;
    expect((await run(call, id)).sandbox).toMatchObject({ state: 'RUNNING' });
    expect(await records().getRoute({ sandboxId: id }, call)).toEqual({ executorId: 'e1' });
    expect(await stop(call, id)).toMatchObject({
      sandbox: { state: 'STOPPED', stopReason: 'DELETED' },
      executorId: 'e1',
    });
    expect((await told(id)).map(({ state }) => state)).toEqual(['RUNNING', 'STOPPED']);
    await expect(records().getRoute({ sandboxId: id }, call)).rejects.toMatchObject({
      reason: 'SANDBOX_NOT_RUNNING',
      details: { metadata: { state: 'STOPPED', stop_reason: 'DELETED' } },
    });
  });

  test('leaves no value of its environment in the database', async () => {
    await insertSandbox(someone(), { environment: { TOKEN: 'never-to-be-stored' }, requestId: 'r' });
    for (const table of ['sandboxes', 'outbox', 'executions', 'tenants'])
      expect(JSON.stringify(await db.query(`select t::text from ${table} t`))).not.toContain('never-to-be-stored');
  });

  test('keeps its first reason to stop, and a late start does not revive it', async () => {
    const call = someone();
    const { id } = (await insertSandbox(call)).sandbox!;
    await stop(call, id);
    const again = await records().markSandboxStopped({ sandboxId: id, reason: 'HOST_LOST' }, call);
    expect(again.sandbox).toMatchObject({ stopReason: 'DELETED' });
    await expect(run(call, id)).rejects.toMatchObject({ reason: 'SANDBOX_NOT_RUNNING' });
    expect(await told(id)).toHaveLength(1);
  });

  test('lives longer when its lifetime is set anew', async () => {
    const call = someone();
    const { id, expireTime } = (await insertSandbox(call, { metadata: { keep: 'me' } })).sandbox!;
    const change = (request: Partial<UpdateSandboxRequest>) =>
      records().changeSandbox({ request: UpdateSandboxRequest.create({ sandboxId: id, ...request }) }, call);
    const { sandbox } = await change({ lifetime: { seconds: 3600, nanos: 0 } });
    expect(sandbox!.expireTime!.getTime() - expireTime!.getTime()).toBeGreaterThan(3_000_000);
    expect(sandbox!.metadata).toEqual({ keep: 'me' });
    expect((await change({ updateMask: ['metadata'] })).sandbox!.metadata).toEqual({});
    expect((await change({ updateMask: [], metadata: { x: 'y' } })).sandbox!.metadata).toEqual({ x: 'y' });
    await stop(call, id);
    await expect(change({ metadata: { a: 'b' } })).rejects.toMatchObject({ reason: 'SANDBOX_NOT_RUNNING' });
  });

  test('is stopped with its executor, and those of others are not', async () => {
    const call = someone();
    const lost = (await insertSandbox(call)).sandbox!.id;
    const kept = (await insertSandbox(call)).sandbox!.id;
    const pending = (await insertSandbox(call)).sandbox!.id;
    await run(call, lost, 'gone');
    await run(call, kept, 'there');
    expect(await records().markExecutorLost({ executorId: 'gone' }, call)).toEqual({ sandboxes: 1 });
    await expect(records().markExecutorLost({ executorId: '' }, call)).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
    });
    const states = await Promise.all(
      [lost, kept, pending].map(
        async (sandboxId) => (await reads().sandboxes.getSandbox({ sandboxId }, call)).sandbox!,
      ),
    );
    expect(states.map(({ state, stopReason }) => [state, stopReason])).toEqual([
      ['STOPPED', 'HOST_LOST'],
      ['RUNNING', 'STOP_REASON_UNSPECIFIED'],
      ['PENDING', 'STOP_REASON_UNSPECIFIED'],
    ]);
  });
});

describe('quota', () => {
  test('of thirty at once for five places, exactly five get one, sandboxes and executions together', async () => {
    const call = someone(5);
    const results = await Promise.allSettled(
      Array.from({ length: 30 }, (_, i) => (i % 2 ? insertSandbox(call) : insertExecution(call))),
    );
    expect(outcomes(results)).toEqual({ succeeded: 5, reasons: ['QUOTA_EXCEEDED'] });
  });

  test('is given back by a stop and by a result, and says what is in use', async () => {
    const call = someone(1);
    const { id } = (await insertSandbox(call)).sandbox!;
    await expect(insertExecution(call)).rejects.toMatchObject({
      reason: 'QUOTA_EXCEEDED',
      details: { retryAfterMs: 1000, quota: [{ description: expect.stringContaining('1 of 1') }] },
    });
    await stop(call, id);
    const { execution } = await insertExecution(call);
    await expect(insertSandbox(call)).rejects.toMatchObject({ reason: 'QUOTA_EXCEEDED' });
    await complete(call, execution!.id);
    await insertSandbox(call);
  });
});

describe('a repeated request', () => {
  test('of ten at once makes one sandbox, and all hear of it once it runs', async () => {
    const call = someone();
    const all = Promise.all(Array.from({ length: 10 }, () => insertSandbox(call, { requestId: 'r' })));
    const first = () =>
      db.query<{ id: string }>('select id from sandboxes where organization_id = $1', [call.caller!.organizationId]);
    await expect.poll(first).toHaveLength(1);
    const [{ id } = { id: '' }] = await first();
    await run(call, id);
    const answers = await all;
    expect(new Set(answers.map(({ sandbox }) => sandbox!.id))).toEqual(new Set([id]));
    expect(answers.filter(({ repeatedRequest }) => !repeatedRequest)).toHaveLength(1);
    expect(
      answers.filter(({ repeatedRequest, sandbox }) => repeatedRequest && sandbox!.state === 'RUNNING'),
    ).toHaveLength(9);
  });

  test('may name its maps in another order, but nothing else', async () => {
    const call = someone();
    const first = await insertSandbox(call, {
      requestId: 'r',
      metadata: { a: '1', b: '2' },
      environment: { X: '1', Y: '2' },
    });
    await run(call, first.sandbox!.id);
    const same = await insertSandbox(call, {
      requestId: 'r',
      metadata: { b: '2', a: '1' },
      environment: { Y: '2', X: '1' },
    });
    expect(same).toMatchObject({ repeatedRequest: true, sandbox: { id: first.sandbox!.id } });
    for (const other of [
      { environment: { X: '1', Y: '3' } },
      { metadata: { a: '1' } },
      { lifetime: { seconds: 9, nanos: 0 } },
    ])
      await expect(insertSandbox(call, { requestId: 'r', ...other })).rejects.toMatchObject({
        reason: 'REQUEST_ID_REUSED',
      });
  });

  test('is counted once against the quota', async () => {
    const call = someone(1);
    const { sandbox } = await insertSandbox(call, { requestId: 'r' });
    await run(call, sandbox!.id);
    expect(await insertSandbox(call, { requestId: 'r' })).toMatchObject({ sandbox: { id: sandbox!.id } });
  });

  test('of one organisation is nothing to another', async () => {
    const first = await insertSandbox(someone(), { requestId: 'shared' });
    const second = await insertSandbox(someone(), { requestId: 'shared', metadata: { other: 'content' } });
    expect(second.repeatedRequest).toBe(false);
    expect(second.sandbox!.id).not.toBe(first.sandbox!.id);
  });

  test('after a failed start makes another sandbox', async () => {
    const call = someone();
    const request = CreateSandboxRequest.create({ template: 'python', requestId: 'r' });
    const { sandbox } = await records().insertSandbox({ request }, call);
    const { waits, replica } = anotherReplica();
    const refused = expect(replica.insertSandbox({ request }, call)).rejects.toMatchObject({
      reason: 'SANDBOX_START_FAILED',
    });
    await waits;
    await records().markSandboxStopped({ sandboxId: sandbox!.id, reason: 'FAILED_TO_START' }, call);
    await refused;
    expect((await records().insertSandbox({ request }, call)).repeatedRequest).toBe(false);
  });

  test('to run code waits for the first one, also on another replica, and answers with its result', async () => {
    const call = someone();
    const { execution } = await insertExecution(call, { requestId: 'r' });
    await using otherEvents = connectEvents({ url: nats.url, name: 'other', log });
    using otherSettling = createSettling(otherEvents);
    await expect.poll(() => events.connected() && otherEvents.connected()).toBe(true);
    const other = createRecords({ db, catalog, settling: otherSettling, changed });
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const waiting = other.insertExecution({ request }, call);
    await complete(call, execution!.id, {}, '1\n');
    expect(await waiting).toMatchObject({
      repeatedRequest: true,
      spec: undefined,
      execution: { id: execution!.id, state: 'FINISHED', verdict: 'ACCEPTED', stdout: '1\n' },
    });
    expect(await insertExecution(call, { requestId: 'r' })).toMatchObject({ execution: { id: execution!.id } });
  });

  test('that waits ends when its caller hangs up', async () => {
    const call = someone();
    await insertExecution(call, { requestId: 'r' });
    const hangUp = new AbortController();
    const waiting = insertExecution({ ...call, signal: hangUp.signal }, { requestId: 'r' });
    hangUp.abort();
    await expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
  });

  test('after a run that was cut off runs it again', async () => {
    const call = someone();
    for (const cutOff of [{ state: 'CANCELLED', verdict: 'CANCELLED' }, { verdict: 'INTERNAL_ERROR' }] as const) {
      const { execution } = await insertExecution(call, { requestId: 'r' });
      await complete(call, execution!.id, cutOff);
    }
    expect(await insertExecution(call, { requestId: 'r' })).toMatchObject({ repeatedRequest: false });
  });
});

describe('an execution', () => {
  test('keeps its first result, with output that is not UTF-8 as it was', async () => {
    const call = someone();
    const { execution, spec } = await insertExecution(call, { stdin: 'in', arguments: ['a'] });
    expect(execution).toMatchObject({ state: 'RUNNING', language: 'python', template: 'python', isolation: 'SANDBOX' });
    expect(spec).toMatchObject({
      executionId: execution!.id,
      sandbox: { template: 'python' },
      files: [{ name: 'main.py', content: { $case: 'text', value: 'print(1)' } }],
      run: { command: ['python3', 'main.py', 'a'], limits: { wallTime: { seconds: 10 }, outputBytes: 1 << 20 } },
      comparison: 'TRAILING_SPACE',
      floatTolerance: 1e-6,
    });
    const bytes = Buffer.from([0x61, 0, 0xff]);
    const found = Execution.create({
      id: execution!.id,
      state: 'FINISHED',
      verdict: 'RUNTIME_ERROR',
      exitCode: 3,
      stdoutInvalidUtf8: true,
    });
    const first = await records().completeExecution({ execution: found, stdout: bytes, stderr: bytes }, call);
    expect(first.execution).toMatchObject({
      verdict: 'RUNTIME_ERROR',
      exitCode: 3,
      stdout: 'a\0\ufffd',
      state: 'FINISHED',
    });
    expect((await complete(call, execution!.id)).execution).toMatchObject({ verdict: 'RUNTIME_ERROR' });
    expect(await db.query('select stdout from executions where id = $1', [execution!.id])).toEqual([{ stdout: bytes }]);
  });

  test('is listed without its output', async () => {
    const call = someone();
    const { execution } = await insertExecution(call);
    await complete(call, execution!.id);
    const { executions } = await reads().executions.listExecutions({ pageSize: 0, pageToken: '' }, call);
    expect(executions).toMatchObject([{ id: execution!.id, verdict: 'ACCEPTED', stdout: '' }]);
    const got = await reads().executions.getExecution({ executionId: execution!.id }, call);
    expect(got.execution).toMatchObject({ verdict: 'ACCEPTED', stdout: 'out', exitCode: 0 });
  });
});

describe('the sweep', () => {
  test('stops what has expired and what never started, and tells of it once', async () => {
    const call = someone();
    const ids: string[] = [];
    for (let i = 0; i < 3; i++) ids.push((await insertSandbox(call, { requestId: `r${i}` })).sandbox!.id);
    const [expired, stuck, fine] = ids as [string, string, string];
    await run(call, expired);
    await age('sandboxes', expired, ['expire_time'], '301 s');
    await age('sandboxes', stuck, ['create_time'], '61 s');
    await Promise.all([sweepOnce(), sweepOnce(), sweepOnce()]);
    const { sandboxes } = await reads().sandboxes.listSandboxes(
      { pageSize: 0, pageToken: '', states: [], metadataFilters: [] },
      call,
    );
    expect(Object.fromEntries(sandboxes.map(({ id, stopReason }) => [id, stopReason]))).toEqual({
      [fine]: 'STOP_REASON_UNSPECIFIED',
      [stuck]: 'FAILED_TO_START',
      [expired]: 'EXPIRED',
    });
    expect((await told(expired)).map(({ reason }) => reason)).toEqual(['STOP_REASON_UNSPECIFIED', 'EXPIRED']);
    expect((await told(stuck)).map(({ reason }) => reason)).toEqual(['FAILED_TO_START']);
    expect((await insertSandbox(call, { requestId: 'r1' })).repeatedRequest).toBe(false);
  });

  test('clears more than one batch at a time', async () => {
    const call = someone(1_000);
    await Promise.all(Array.from({ length: 250 }, () => insertSandbox(call)));
    await db.query(`update sandboxes set expire_time = now() where organization_id = $1`, [
      call.caller!.organizationId,
    ]);
    await sweepOnce();
    const live = await db.query(`select 1 from sandboxes where organization_id = $1 and state <> 'STOPPED'`, [
      call.caller!.organizationId,
    ]);
    expect(live).toEqual([]);
  });

  test('gives up executions that nobody completed, and a late result does not change that', async () => {
    const call = someone(1);
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const { execution } = await records().insertExecution({ request }, call);
    const { waits, replica } = anotherReplica();
    const waiting = replica.insertExecution({ request }, call);
    await waits;
    await age('executions', execution!.id, ['deadline'], '10 minutes');
    await sweepOnce();
    const lost = {
      id: execution!.id,
      state: 'FINISHED',
      verdict: 'INTERNAL_ERROR',
      message: expect.stringContaining('lost with its host'),
    };
    expect((await waiting).execution).toMatchObject(lost);
    expect((await complete(call, execution!.id)).execution).toMatchObject(lost);
    await insertExecution(call, { requestId: 'r' });
  });
});

describe('what belongs to another organisation is answered like what does not exist', () => {
  const unknown = [
    newId('sbx'),
    newId('exe'),
    'sbx_',
    '',
    'nonsense',
    'sbx_\0',
    "'; drop table sandboxes; --",
    'x'.repeat(100_000),
  ];

  test.each(['theirs', ...unknown.map((_, index) => index)])('id %s', async (which) => {
    const owner = someone();
    const stranger = someone();
    const sandbox = (await insertSandbox(owner)).sandbox!;
    const execution = (await insertExecution(owner)).execution!;
    await run(owner, sandbox.id);
    const sandboxId = typeof which === 'number' ? unknown[which]! : sandbox.id;
    const executionId = typeof which === 'number' ? unknown[which]! : execution.id;
    const metadata = { a: 'b' };
    const noSandbox = { reason: 'SANDBOX_NOT_FOUND', message: 'no such sandbox', details: {} };
    const noExecution = { reason: 'EXECUTION_NOT_FOUND', message: 'no such execution', details: {} };
    const answers = await Promise.allSettled([
      reads().sandboxes.getSandbox({ sandboxId }, stranger),
      records().getRoute({ sandboxId }, stranger),
      run(stranger, sandboxId),
      stop(stranger, sandboxId),
      records().changeSandbox({ request: UpdateSandboxRequest.create({ sandboxId, metadata }) }, stranger),
      reads().executions.getExecution({ executionId }, stranger),
      complete(stranger, executionId),
    ]);
    expect(answers.map((answer) => answer.status === 'rejected' && answer.reason)).toMatchObject([
      ...Array(5).fill(noSandbox),
      ...Array(2).fill(noExecution),
    ]);
    const lists = await Promise.all([
      reads().sandboxes.listSandboxes({ pageSize: 0, pageToken: '', states: [], metadataFilters: [] }, stranger),
      reads().executions.listExecutions({ pageSize: 0, pageToken: '' }, stranger),
    ]);
    expect(lists).toMatchObject([{ sandboxes: [] }, { executions: [] }]);
  });
});

describe('lists', () => {
  test('come newest first in pages, with filters by state and by every label', async () => {
    const call = someone();
    const ids: string[] = [];
    for (let i = 0; i < 5; i++)
      ids.unshift((await insertSandbox(call, { metadata: { parity: i % 2 ? 'odd' : 'even', n: `${i}` } })).sandbox!.id);
    // Ids made within one millisecond sort by chance.
    const labels = new Map(ids.map((id, index) => [id, String(4 - index)]));
    ids.sort().reverse();
    await stop(call, ids[0]!);
    const list = (
      fields: Partial<{
        pageSize: number;
        pageToken: string;
        states: ('STOPPED' | 'PENDING')[];
        metadataFilters: string[];
      }>,
    ) =>
      reads().sandboxes.listSandboxes({ pageSize: 0, pageToken: '', states: [], metadataFilters: [], ...fields }, call);
    const seen: string[] = [];
    let pageToken = '';
    do {
      const page = await list({ pageSize: 2, pageToken });
      seen.push(...page.sandboxes.map(({ id }) => id));
      pageToken = page.nextPageToken;
    } while (pageToken);
    expect(seen).toEqual(ids);
    const idsOf = async (fields: Parameters<typeof list>[0]) => (await list(fields)).sandboxes.map(({ id }) => id);
    expect(await idsOf({ states: ['STOPPED'] })).toEqual([ids[0]]);
    const odd = ids.filter((id) => Number(labels.get(id)) % 2 === 1);
    expect(await idsOf({ metadataFilters: ['parity=odd'] })).toEqual(odd);
    expect(await idsOf({ metadataFilters: ['parity=odd', `n=${labels.get(odd[0]!)}`] })).toEqual([odd[0]]);
    expect(await idsOf({ metadataFilters: ['parity=odd', 'parity=even'] })).toEqual([]);
    for (const bad of [
      { pageSize: -1 },
      { pageSize: 1001 },
      { pageToken: '!' },
      { metadataFilters: ['no-equals-sign'] },
      { metadataFilters: ['a=\0'] },
    ])
      await expect(list(bad)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
  });
});
