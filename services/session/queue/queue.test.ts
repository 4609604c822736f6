import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { EXECUTION_CANCELLED, EXECUTION_QUEUE, ORGANIZATION_CHANGED, workEvent } from '#libs/nats/subjects.ts';
import { Caller } from '#proto/drydock/internal/v1/caller.ts';
import { ExecutionQueued } from '#proto/drydock/internal/v1/events.ts';
import { Checker, Execution, SubmitExecutionRequest } from '#proto/drydock/v1/execution.ts';
import { someone, useRecords } from '../records-fixture.ts';

const {
  records,
  reads,
  query,
  submit,
  insertExecution,
  take,
  complete,
  age,
  sweepOnce,
  remoteReplica,
  consume,
  publish,
} = useRecords();

const attempt = async (call: ReturnType<typeof someone>) => {
  const { attempt, spec } = await take(call);
  return { id: spec?.executionId, attempt, spec };
};
const get = async (call: ReturnType<typeof someone>, executionId: string, seconds = 0): Promise<Execution> =>
  (await reads().executions.getExecution({ executionId, wait: { seconds, nanos: 0 } }, call)).execution!;

describe('a submission', () => {
  test('is a row and a ticket in one transaction, and what it asks for is forgotten once it has ended', async () => {
    const call = someone();
    const execution = await submit(call, { environment: { TOKEN: 'kept-while-it-waits' }, stdin: 'x', priority: 3 });
    expect(execution).toMatchObject({ state: 'QUEUED', language: 'python', template: 'python', priority: 3 });
    const subject = workEvent(EXECUTION_QUEUE, call.caller!.organizationId).subject;
    expect(await query('select copies from outbox where subject = $1', [subject])).toEqual([{ copies: 1 }]);
    const taken = await take(call);
    expect(taken).toMatchObject({
      attempt: 1,
      spec: {
        executionId: execution.id,
        sandbox: { organizationId: call.caller!.organizationId, template: 'python' },
        run: { environment: { TOKEN: 'kept-while-it-waits' } },
        cases: [{ stdin: Buffer.from('x') }],
      },
    });
    await complete(call, execution.id);
    expect(await get(call, execution.id)).toMatchObject({ state: 'FINISHED', stdout: 'out', attempts: 1 });
    expect(JSON.stringify(await query('select e::text from executions e'))).not.toContain(
      Buffer.from('kept-while-it-waits').toString('hex'),
    );
  });

  test('keeps what its organisation might have when it came, for its sandbox and for that of its checker', async () => {
    const call = someone(3, { concurrentExecutions: 4, sharedPool: false });
    const checker = Checker.create({ language: 'python', source: 'print(1)' });
    const tenancy = { sharedPool: false, sandboxes: 7 };
    const ofBoth = { sandbox: { tenancy }, checker: { sandbox: { tenancy, template: 'python' } } };
    expect((await insertExecution(call, { checker })).spec).toMatchObject(ofBoth);
    await submit(call, { checker });
    // A scheduler that takes tickets knows no quota.
    const taker = { ...call, caller: Caller.create({ organizationId: call.caller!.organizationId }) };
    expect((await take(taker)).spec).toMatchObject(ofBoth);
  });

  test('that is repeated is one, and another content is refused', async () => {
    const call = someone();
    const [first, second] = await Promise.all([submit(call, { requestId: 'r' }), submit(call, { requestId: 'r' })]);
    expect(second.id).toBe(first.id);
    expect((await submit(call, { requestId: 'r' })).id).toBe(first.id);
    await expect(submit(call, { requestId: 'r', source: 'print(2)' })).rejects.toMatchObject({
      reason: 'REQUEST_ID_REUSED',
    });
    expect((await submit(someone(), { requestId: 'r' })).id).not.toBe(first.id);
  });

  test('is refused where the queue is full, unless it repeats one that was taken', async () => {
    const call = someone(1, { queuedExecutions: 2 });
    await submit(call, { requestId: 'first' });
    await submit(call);
    await expect(submit(call)).rejects.toMatchObject({ reason: 'QUEUE_FULL', details: { retryAfterMs: 5_000 } });
    await submit(call, { requestId: 'first' });
    await take(call);
    await expect
      .poll(
        () =>
          submit(call)
            .then(({ state }) => state)
            .catch(({ reason }) => reason),
        { timeout: 5_000 },
      )
      .toBe('QUEUED');
  });

  test('is refused where the oldest has waited too long', async () => {
    const call = someone();
    const { id } = await submit(call);
    await age('executions', id, 'create_time', '2 hours');
    await expect
      .poll(
        () =>
          submit(call)
            .then(({ state }) => state)
            .catch(({ reason }) => reason),
        { timeout: 5_000 },
      )
      .toBe('QUEUE_FULL');
  });

  test.each([101, -101])('is refused with priority %d', async (priority) => {
    await expect(submit(someone(), { priority })).rejects.toMatchObject({
      reason: 'INVALID_FIELD',
      details: { fields: [{ field: 'priority' }] },
    });
  });
});

describe('a batch', () => {
  const member = (fields: Partial<SubmitExecutionRequest> = {}) =>
    SubmitExecutionRequest.create({ language: 'python', source: 'print(1)', ...fields });

  test('takes what is right, and says of each other what is wrong', async () => {
    const call = someone();
    const requests = [member(), member({ language: 'klingon' }), member({ source: '' }), member({ requestId: 'r' })];
    const { results } = await reads().executions.batchSubmitExecutions({ requests }, call);
    expect(results.map(({ result }) => result)).toMatchObject([
      { $case: 'execution', value: { state: 'QUEUED' } },
      { $case: 'error', value: { reason: 'LANGUAGE_NOT_FOUND' } },
      { $case: 'error', value: { reason: 'INVALID_FIELD', fieldViolations: [{ field: 'source' }] } },
      { $case: 'execution', value: { state: 'QUEUED' } },
    ]);
    expect(
      await query('select copies from outbox where subject = $1', [
        workEvent(EXECUTION_QUEUE, call.caller!.organizationId).subject,
      ]),
    ).toEqual([{ copies: 2 }]);
  });

  test('of a thousand is taken, of none or more is refused', async () => {
    const call = someone();
    const of = (length: number) =>
      reads().executions.batchSubmitExecutions({ requests: Array.from({ length }, () => member()) }, call);
    const { results } = await of(1000);
    expect(results.filter(({ result }) => result?.$case === 'execution')).toHaveLength(1000);
    for (const length of [0, 1001]) await expect(of(length)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
  });
});

describe('the queue of an organisation', () => {
  test('is taken by priority, then by age, each by one taker alone', async () => {
    const call = someone();
    const low = await submit(call, { priority: -1 });
    const first = await submit(call);
    const urgent = await submit(call, { priority: 9 });
    const taken = [await attempt(call), await attempt(call), await attempt(call), await attempt(call)];
    expect(taken.map(({ id }) => id)).toEqual([urgent.id, first.id, low.id, undefined]);

    await Promise.all(Array.from({ length: 20 }, () => submit(call)));
    const together = await Promise.all(Array.from({ length: 25 }, () => attempt(call)));
    const ids = together.map(({ id }) => id).filter(Boolean);
    expect(ids).toHaveLength(20);
    expect(new Set(ids).size).toBe(20);
  });

  test('gives what its holder lost to the next one, whose result counts alone', async () => {
    const call = someone();
    const { id } = await submit(call);
    expect(await attempt(call)).toMatchObject({ id, attempt: 1 });
    expect(await attempt(call)).toMatchObject({ id: undefined });
    await age('executions', id, 'lease_expire', '16 s');
    expect(await attempt(call)).toMatchObject({ id, attempt: 2 });
    await complete(call, id, {}, 'late', 1);
    expect(await get(call, id)).toMatchObject({ state: 'RUNNING' });
    await complete(call, id, {}, 'right', 2);
    await complete(call, id, {}, 'again', 2);
    expect(await get(call, id)).toMatchObject({ state: 'FINISHED', stdout: 'right', attempts: 2 });
  });

  test('keeps what is extended, and says what is lost', async () => {
    const call = someone();
    const { id } = await submit(call);
    const other = await submit(call);
    await take(call);
    await take(call);
    await age('executions', id, 'lease_expire', '14 s');
    await reads().executions.cancelExecution({ executionId: other.id }, call);
    const attempts = [
      { executionId: id, attempt: 1 },
      { executionId: other.id, attempt: 1 },
    ];
    expect(await records().extendExecutions({ attempts }, call)).toEqual({ lostExecutionIds: [other.id] });
    await age('executions', id, 'lease_expire', '14 s');
    expect(await attempt(call)).toMatchObject({ id: undefined });
  });

  test('takes back what could not be run, with a ticket', async () => {
    const call = someone();
    const { id } = await submit(call);
    await take(call);
    const returned = { executionId: id, attempt: 1, message: 'the host went away', lost: true };
    await records().returnExecution(returned, call);
    await records().returnExecution(returned, call);
    const tickets = 'select copies from outbox where subject = $1';
    expect(await query(tickets, [workEvent(EXECUTION_QUEUE, call.caller!.organizationId).subject])).toHaveLength(2);
    expect(await attempt(call)).toMatchObject({ id, attempt: 2 });
  });

  test('gives up what was lost five times, and goes on', async () => {
    const call = someone();
    const poison = await submit(call, { priority: 1 });
    const fine = await submit(call);
    for (let n = 1; n <= 5; n++) {
      expect(await attempt(call)).toMatchObject({ id: poison.id, attempt: n });
      await records().returnExecution(
        { executionId: poison.id, attempt: n, message: 'its host died', lost: true },
        call,
      );
    }
    expect(await attempt(call)).toMatchObject({ id: fine.id });
    const parked = await get(call, poison.id);
    expect(parked).toMatchObject({ state: 'FINISHED', verdict: 'INTERNAL_ERROR' });
    expect(parked.message).toMatch(/5 attempts.*its host died/);
  });

  test('does not run again what was given up because its holder did not end it, though it is submitted again', async () => {
    const call = someone();
    const { id } = await submit(call, { requestId: 'r' });
    await take(call);
    await age('executions', id, 'deadline', '10 minutes');
    await sweepOnce();
    expect(await get(call, id)).toMatchObject({ state: 'FINISHED', verdict: 'INTERNAL_ERROR' });
    expect((await submit(call, { requestId: 'r' })).id).toBe(id);
    expect(await attempt(call)).toMatchObject({ id: undefined });
  });

  test('gives what its holder lost to the next one, however long nobody came for it', async () => {
    const call = someone();
    const { id } = await submit(call);
    await take(call);
    await age('executions', id, 'lease_expire', '1 hour');
    await age('executions', id, 'deadline', '1 hour');
    await sweepOnce();
    expect(await attempt(call)).toMatchObject({ id, attempt: 2 });
  });

  test('is not touched by strangers', async () => {
    const call = someone();
    const { id } = await submit(call);
    expect(await attempt(someone())).toMatchObject({ id: undefined });
    await take(call);
    await complete(someone(), id).catch(() => {});
    expect(await get(call, id)).toMatchObject({ state: 'RUNNING' });
  });
});

describe('a quota that is changed', () => {
  let consumers: AsyncDisposable;
  beforeAll(() => {
    consumers = consume();
  });
  afterAll(() => consumers[Symbol.asyncDispose]());

  const change = (call: ReturnType<typeof someone>, concurrentExecutions: number, changeTime: Date) => {
    const quota = { ...call.caller!.quota!, concurrentExecutions, queueWeight: 7 };
    const { organizationId } = call.caller!;
    return publish(ORGANIZATION_CHANGED, { organizationId, quota, changeTime });
  };
  const ticketsOf = async (call: ReturnType<typeof someone>) => {
    const subject = workEvent(EXECUTION_QUEUE, call.caller!.organizationId).subject;
    const rows = await query('select payload from outbox where subject = $1 order by position', [subject]);
    return rows.map(({ payload }) => ExecutionQueued.decode(payload));
  };

  test('is told with a ticket at once where something waits, and callers who have not heard do not change it back', async () => {
    const call = someone();
    const idle = someone();
    await submit(call);
    const first = new Date('2026-01-01T00:00:00.001Z');
    await change(idle, 3, first);
    await change(call, 3, first);
    const usual = { concurrentExecutions: 16, queueWeight: 100, setTime: undefined };
    const changed = { concurrentExecutions: 3, queueWeight: 7, setTime: first };
    await expect.poll(() => ticketsOf(call)).toEqual([usual, changed]);
    expect(await ticketsOf(idle)).toEqual([]);
    await submit(call);
    expect((await ticketsOf(call)).at(-1)).toEqual(changed);
    await submit(idle);
    expect(await ticketsOf(idle)).toEqual([changed]);
  });

  test('is the one that was changed last, in whatever order these come', async () => {
    const call = someone();
    await submit(call);
    const [early, late] = [new Date(1_000), new Date(2_000)];
    await change(call, 5, late);
    await change(call, 4, early);
    const marker = someone();
    await submit(marker);
    await change(marker, 1, late);
    await expect.poll(() => ticketsOf(marker)).toHaveLength(2);
    expect((await ticketsOf(call)).map(({ concurrentExecutions }) => concurrentExecutions)).toEqual([16, 5]);
  });
});

describe('waiting for an execution', () => {
  test('ends with it, also where another replica completes it, and at the latest when the time is over', async () => {
    const call = someone();
    const { id } = await submit(call);
    const started = performance.now();
    expect(await get(call, id, 1)).toMatchObject({ state: 'QUEUED' });
    expect(performance.now() - started).toBeGreaterThan(990);
    await take(call);
    await using remote = await remoteReplica();
    const waiting = get(call, id, 60);
    await remote.replica.completeExecution(
      {
        execution: Execution.create({ id, state: 'FINISHED' }),
        stdout: Buffer.from('far'),
        stderr: Buffer.alloc(0),
        transcript: Buffer.alloc(0),
        attempt: 1,
        insertIfMissing: false,
      },
      call,
    );
    expect(await waiting).toMatchObject({ state: 'FINISHED', stdout: 'far' });
  });

  test.each([-1, 61])('for %d s is refused', async (seconds) => {
    const call = someone();
    const { id } = await submit(call);
    await expect(get(call, id, seconds)).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
  });

  test('by a watch tells of each state', async () => {
    const call = someone();
    const { id } = await submit(call);
    const states = reads().executions.watchExecution({ executionId: id }, call)[Symbol.asyncIterator]();
    const next = async () => (await states.next()).value?.execution?.state;
    expect(await next()).toBe('QUEUED');
    await take(call);
    expect(await next()).toBe('RUNNING');
    await complete(call, id);
    expect(await next()).toBe('FINISHED');
    expect(await next()).toBeUndefined();
  });
});

describe('a cancelled execution', () => {
  test('never runs where it waited', async () => {
    const call = someone();
    const { id } = await submit(call);
    const { execution } = await reads().executions.cancelExecution({ executionId: id }, call);
    expect(execution).toMatchObject({ state: 'CANCELLED', verdict: 'CANCELLED' });
    expect(await attempt(call)).toMatchObject({ id: undefined });
  });

  test('stays cancelled whatever its host says, and its scheduler is told', async () => {
    const call = someone();
    const { id } = await submit(call);
    await take(call);
    await reads().executions.cancelExecution({ executionId: id }, call);
    await complete(call, id);
    expect(await get(call, id)).toMatchObject({ state: 'CANCELLED' });
    const told = `select position(convert_to($1, 'UTF8') in payload) > 0 as here from outbox where subject = $2`;
    expect(await query(told, [id, EXECUTION_CANCELLED.subject])).toContainEqual({ here: true });
  });

  test('that had ended is what it was', async () => {
    const call = someone();
    const { id } = await submit(call);
    await take(call);
    await complete(call, id);
    const { execution } = await reads().executions.cancelExecution({ executionId: id }, call);
    expect(execution).toMatchObject({ state: 'FINISHED', verdict: 'ACCEPTED', stdout: 'out' });
  });
});

describe('an output', () => {
  const read = async (call: ReturnType<typeof someone>, executionId: string, stream = 'stdout') => {
    const pieces: Uint8Array[] = [];
    for await (const { data } of reads().executions.readExecutionOutput({ executionId, stream }, call))
      pieces.push(data);
    return Buffer.concat(pieces).toString();
  };

  test('is shown to 256 KiB, to the end of a character, and read to its end', async () => {
    const call = someone();
    const { id } = await submit(call);
    await take(call);
    const long = `${'x'.repeat(256 * 1024 - 1)}ü${'y'.repeat(100_000)}`;
    await expect(read(call, id)).rejects.toMatchObject({ reason: 'EXECUTION_NOT_FINISHED' });
    await complete(call, id, {}, long);
    const execution = await get(call, id);
    expect(execution.stdout).toBe('x'.repeat(256 * 1024 - 1));
    expect(execution).toMatchObject({ stdoutTruncated: true, stderrTruncated: false });
    expect(await read(call, id)).toBe(long);
    expect(await read(call, id, 'stderr')).toBe('');
    await expect(read(call, id, 'both')).rejects.toMatchObject({ reason: 'INVALID_FIELD' });
    await expect(read(someone(), id)).rejects.toMatchObject({ reason: 'EXECUTION_NOT_FOUND' });
  });

  test('is forgotten with its execution when that has been kept for long enough', async () => {
    const call = someone();
    const { id } = await submit(call);
    const other = await submit(call);
    await take(call);
    await complete(call, id);
    await age('executions', id, 'finish_time', '25 hours');
    await sweepOnce();
    await expect(get(call, id)).rejects.toMatchObject({ reason: 'EXECUTION_NOT_FOUND' });
    expect(await get(call, other.id)).toMatchObject({ state: 'QUEUED' });
  });
});
