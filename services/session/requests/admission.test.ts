import { describe, expect, test } from 'vitest';
import { RunCodeRequest } from '#proto/drydock/v1/execution.ts';
import { CreateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { records, reads, query, insertSandbox, insertExecution, run, stop, complete, anotherReplica, remoteReplica } =
  useRecords();

function outcomes(results: PromiseSettledResult<unknown>[]) {
  return {
    succeeded: results.filter(({ status }) => status === 'fulfilled').length,
    reasons: [...new Set(results.flatMap((result) => (result.status === 'rejected' ? [result.reason.reason] : [])))],
  };
}

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
    const first = () => query('select id from sandboxes where organization_id = $1', [call.caller!.organizationId]);
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
    await using other = await remoteReplica();
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const waiting = other.replica.insertExecution({ request }, call);
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

  test('that waits for a run that is cut off runs it itself, and others wait for that', async () => {
    const call = someone(1);
    const { execution: first } = await insertExecution(call, { requestId: 'r' });
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const replicas = [anotherReplica(), anotherReplica()];
    const answers = replicas.map(({ replica }) => replica.insertExecution({ request }, call));
    await Promise.all(replicas.map(({ waits }) => waits));
    await complete(call, first!.id, { state: 'CANCELLED', verdict: 'CANCELLED' });
    const second = await Promise.race(answers);
    expect(second).toMatchObject({ repeatedRequest: false, execution: { state: 'RUNNING' } });
    expect(second.spec).toMatchObject({ executionId: second.execution!.id });
    await complete(call, second.execution!.id);
    const told = (await Promise.all(answers)).find(({ repeatedRequest }) => repeatedRequest);
    expect(told?.execution).toMatchObject({ id: second.execution!.id, verdict: 'ACCEPTED' });
  });

  test('that waits for a run which its client cancels is told so', async () => {
    const call = someone();
    const { execution } = await insertExecution(call, { requestId: 'r' });
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const { waits, replica } = anotherReplica();
    const answer = replica.insertExecution({ request }, call);
    await waits;
    await reads().executions.cancelExecution({ executionId: execution!.id }, call);
    expect(await answer).toMatchObject({ repeatedRequest: true, execution: { verdict: 'CANCELLED' } });
  });

  test('whose caller hung up while it waited runs nothing', async () => {
    const call = someone();
    const { execution } = await insertExecution(call, { requestId: 'r' });
    const hangUp = new AbortController();
    const request = RunCodeRequest.create({ language: 'python', source: 'print(1)', requestId: 'r' });
    const { waits, replica } = anotherReplica();
    const waiting = replica.insertExecution({ request }, { ...call, signal: hangUp.signal });
    const ended = expect(waiting).rejects.toMatchObject({ name: 'AbortError' });
    await waits;
    hangUp.abort();
    await complete(call, execution!.id, { state: 'CANCELLED', verdict: 'CANCELLED' });
    await ended;
    expect(await insertExecution(call, { requestId: 'r' })).toMatchObject({ repeatedRequest: false });
  });
});
