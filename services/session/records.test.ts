import { describe, expect, test } from 'vitest';
import { Execution, RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { someone, useRecords } from './records-fixture.ts';

const {
  records,
  reads,
  query,
  sweepOnce,
  insertSandbox,
  insertExecution,
  run,
  stop,
  complete,
  listSandboxes,
  anotherReplica,
  age,
  told,
} = useRecords();

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
    expect(spec).toMatchObject({
      environment: { TOKEN: 'secret-value' },
      organizationId: call.caller!.organizationId,
      tenancy: { sharedPool: true, sandboxes: 116 },
    });
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
      expect(JSON.stringify(await query(`select t::text from ${table} t`))).not.toContain('never-to-be-stored');
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
    await records().markExecutorLost({ executorId: 'gone' }, call);
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

describe('an execution', () => {
  test('keeps its first result, with output that is not UTF-8 as it was', async () => {
    const call = someone();
    const { execution, spec } = await insertExecution(call, { stdin: 'in', arguments: ['a'] });
    expect(execution).toMatchObject({ state: 'RUNNING', language: 'python', template: 'python' });
    expect(spec).toMatchObject({
      executionId: execution!.id,
      sandbox: { template: 'python' },
      files: [{ name: 'main.py', content: { $case: 'text', value: 'print(1)' } }],
      run: {
        command: ['/usr/bin/python3', 'main.py', 'a'],
        limits: { wallTime: { seconds: 10 }, outputBytes: 1 << 20 },
      },
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
    const first = await records().completeExecution(
      { execution: found, stdout: bytes, stderr: bytes, transcript: bytes, attempt: 1, insertIfMissing: false },
      call,
    );
    expect(first.execution).toMatchObject({
      verdict: 'RUNTIME_ERROR',
      exitCode: 3,
      stdout: 'a\0\ufffd',
      state: 'FINISHED',
    });
    expect((await complete(call, execution!.id)).execution).toMatchObject({ verdict: 'RUNTIME_ERROR' });
    expect(await query('select stdout, transcript from executions where id = $1', [execution!.id])).toEqual([
      { stdout: bytes, transcript: bytes },
    ]);
    const read: Uint8Array[] = [];
    const request = { executionId: execution!.id, stream: 'transcript' };
    for await (const { data } of reads().executions.readExecutionOutput(request, call)) read.push(data);
    expect(Buffer.concat(read)).toEqual(bytes);
  });

  test.each([
    ['is written anew with the result', true],
    ['stays lost where another one may have run it', false],
  ])('a record that the database has lost in a crash %s', async (_, insertIfMissing) => {
    const call = someone();
    const { execution } = await insertExecution(call);
    const { id, createTime } = execution!;
    await query('delete from executions where id = $1', [id]);
    await query('delete from tenants where organization_id = $1', [call.caller!.organizationId]);
    const found = Execution.create({ ...execution, state: 'FINISHED', verdict: 'ACCEPTED', exitCode: 0 });
    const outputs = { stdout: Buffer.from('out'), stderr: Buffer.alloc(0), transcript: Buffer.alloc(0) };

    const completing = records().completeExecution({ execution: found, ...outputs, attempt: 1, insertIfMissing }, call);

    if (!insertIfMissing) return expect(completing).rejects.toMatchObject({ reason: 'EXECUTION_NOT_FOUND' });
    const whole = { id, language: 'python', template: 'python', verdict: 'ACCEPTED', stdout: 'out', createTime };
    expect((await completing).execution).toMatchObject(whole);
    const got = await reads().executions.getExecution({ executionId: id, wait: undefined }, call);
    expect(got.execution).toMatchObject({ ...whole, state: 'FINISHED', startTime: createTime, attempts: 1 });
  });

  test('a record that is there is not written anew, and its first end stays', async () => {
    const call = someone();
    const { execution } = await insertExecution(call);
    await complete(call, execution!.id, { verdict: 'RUNTIME_ERROR' });
    const found = Execution.create({ ...execution, state: 'FINISHED', verdict: 'ACCEPTED' });
    const outputs = { stdout: Buffer.alloc(0), stderr: Buffer.alloc(0), transcript: Buffer.alloc(0) };
    const late = { execution: found, ...outputs, attempt: 1, insertIfMissing: true };
    expect((await records().completeExecution(late, call)).execution?.verdict).toBe('RUNTIME_ERROR');
  });

  test('is listed without its output', async () => {
    const call = someone();
    const { execution } = await insertExecution(call);
    await complete(call, execution!.id);
    const { executions } = await reads().executions.listExecutions({ pageSize: 0, pageToken: '', states: [] }, call);
    expect(executions).toMatchObject([{ id: execution!.id, verdict: 'ACCEPTED', stdout: '' }]);
    const got = await reads().executions.getExecution({ executionId: execution!.id, wait: undefined }, call);
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
    await age('sandboxes', expired, 'expire_time', '301 s');
    await age('sandboxes', stuck, 'create_time', '61 s');
    await Promise.all([sweepOnce(), sweepOnce(), sweepOnce()]);
    const { sandboxes } = await listSandboxes(call);
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
    await query(`update sandboxes set expire_time = now() where organization_id = $1`, [call.caller!.organizationId]);
    await sweepOnce();
    const live = await query(`select 1 from sandboxes where organization_id = $1 and state <> 'STOPPED'`, [
      call.caller!.organizationId,
    ]);
    expect(live).toEqual([]);
  });

  test('gives up executions that nobody completed, who waits runs them, and a late result does not change that', async () => {
    const call = someone(1);
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const { execution } = await records().insertExecution({ request }, call);
    const { waits, replica } = anotherReplica();
    const waiting = replica.insertExecution({ request }, call);
    await waits;
    await age('executions', execution!.id, 'deadline', '10 minutes');
    await sweepOnce();
    const lost = {
      id: execution!.id,
      state: 'FINISHED',
      verdict: 'INTERNAL_ERROR',
      message: expect.stringContaining('lost with its host'),
    };
    expect(await waiting).toMatchObject({ repeatedRequest: false, execution: { state: 'RUNNING' } });
    expect((await complete(call, execution!.id)).execution).toMatchObject(lost);
  });
});
