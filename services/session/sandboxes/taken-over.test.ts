import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import { newId } from '#libs/ids.ts';
import { sandboxEnded, sandboxesInherited } from '#libs/nats/subjects.ts';
import type { Sandbox_StopReason } from '#proto/drydock/v1/sandbox.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { reads, query, consume, publish, executor, insertSandbox, run, stop, age, told } = useRecords();
let consumers: AsyncDisposable;
beforeAll(() => {
  consumers = consume();
});
afterAll(() => consumers[Symbol.asyncDispose]());

/** Who is not heard of is asked for, for a second. */
const WITHIN = { timeout: 20_000 };

const inherit = (executorId: string, heirExecutorId: string, sandboxIds: string[], lostTime = new Date()) =>
  publish(sandboxesInherited(heirExecutorId), { executorId, heirExecutorId, sandboxIds, lostTime });
const end = (call: Call, sandboxId: string, executorId: string, reason: Sandbox_StopReason = 'OUT_OF_MEMORY') =>
  publish(sandboxEnded(executorId), { sandboxId, organizationId: call.caller!.organizationId, executorId, reason });
/** A sandbox that runs on an executor. */
async function running(call: Call, executorId: string): Promise<string> {
  const { id } = (await insertSandbox(call)).sandbox!;
  await run(call, id, executorId);
  return id;
}
const recordOf = async (id: string) => {
  const [row] = await query('select state, stop_reason, executor_id from sandboxes where id = $1', [id]);
  return [row.state, row.stop_reason, row.executor_id];
};
const RUNS = ['RUNNING', 'STOP_REASON_UNSPECIFIED'];

test('what an heir has is with it, what it has not is lost, and of what had stopped it is told again', async () => {
  const call = someone();
  const [gone, heir] = [newId('ins'), newId('ins')];
  const kept = await running(call, gone);
  const lost = await running(call, gone);
  const stopped = await running(call, gone);
  await stop(call, stopped);
  const own = await running(call, heir);
  const pending = (await insertSandbox(call)).sandbox!.id;
  const inherited = [kept, stopped, own, pending, newId('sbx'), 'nonsense\0'];

  await inherit(gone, heir, inherited);
  await expect.poll(() => recordOf(kept), WITHIN).toEqual([...RUNS, heir]);
  expect(await recordOf(lost)).toEqual(['STOPPED', 'HOST_LOST', gone]);
  expect(await recordOf(own)).toEqual([...RUNS, heir]);
  expect(await recordOf(pending)).toEqual(['PENDING', 'STOP_REASON_UNSPECIFIED', '']);
  expect((await told(kept)).map(({ state, executorId }) => [state, executorId])).toEqual([
    ['RUNNING', gone],
    ['RUNNING', heir],
  ]);
  expect((await told(lost)).at(-1)).toMatchObject({ state: 'STOPPED', reason: 'HOST_LOST' });
  expect((await told(stopped)).map(({ state }) => state)).toEqual(['RUNNING', 'STOPPED', 'STOPPED']);
  expect(await told(own)).toHaveLength(1);

  await inherit(gone, heir, inherited);
  await expect.poll(() => told(stopped), WITHIN).toHaveLength(4);
  expect(await recordOf(kept)).toEqual([...RUNS, heir]);
  expect(await told(kept)).toHaveLength(2);
  expect(await told(lost)).toHaveLength(2);
});

test('what began on an executor that is back by now under its old id is not lost', async () => {
  const call = someone();
  const [gone, heir] = [newId('ins'), newId('ins')];
  const lostTime = new Date();
  const begun = await running(call, gone);
  const [kept, marker] = [await running(call, gone), await running(call, gone)];
  await inherit(gone, heir, [kept], lostTime);
  await inherit(gone, heir, [marker], lostTime);
  await expect.poll(() => recordOf(marker), WITHIN).toEqual([...RUNS, heir]);
  expect(await recordOf(kept)).toEqual([...RUNS, heir]);
  expect(await recordOf(begun)).toEqual([...RUNS, gone]);
});

describe('of a new owner that is lost soon after', () => {
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);
  /** Three sandboxes that have run for a while. */
  const three = async (call: Call, executorId: string) => {
    const ids = [await running(call, executorId), await running(call, executorId), await running(call, executorId)];
    for (const id of ids) await age('sandboxes', id, 'start_time', '10 minutes');
    return ids as [string, string, string];
  };

  test('the last heir has what it says, and the rest is lost, though its news came first', async () => {
    const call = someone();
    const [first, second, third] = [newId('ins'), newId('ins'), newId('ins')];
    const [kept, lostByFirst, lostBySecond] = await three(call, first);
    const marker = await running(call, third);
    await inherit(second, third, [kept], minutesAgo(1));
    // Heard of after that of the others.
    await inherit(newId('ins'), second, [marker], minutesAgo(3));
    await inherit(first, second, [kept, lostBySecond], minutesAgo(2));
    await expect.poll(() => recordOf(lostByFirst), WITHIN).toEqual(['STOPPED', 'HOST_LOST', first]);
    expect(await recordOf(kept)).toEqual([...RUNS, third]);
    expect(await recordOf(lostBySecond)).toEqual(['STOPPED', 'HOST_LOST', second]);
    expect((await told(kept)).map(({ executorId }) => executorId)).toEqual([first, second, third]);
  });

  test('what it took over once it was back stays with it', async () => {
    const call = someone();
    const [first, second, third, fourth] = [newId('ins'), newId('ins'), newId('ins'), newId('ins')];
    const [early] = await three(call, first);
    const [late] = await three(call, fourth);
    await inherit(second, third, [], minutesAgo(2));
    await inherit(fourth, second, [late], minutesAgo(1));
    await inherit(first, second, [early], minutesAgo(3));
    await expect.poll(() => recordOf(early), WITHIN).toEqual(['STOPPED', 'HOST_LOST', second]);
    expect(await recordOf(late)).toEqual([...RUNS, second]);
  });
});

describe('an executor that is there', () => {
  const minutesAgo = (minutes: number) => new Date(Date.now() - minutes * 60_000);

  test.each([
    ['in a cluster', minutesAgo(30)],
    ['on a host of its own', undefined],
  ])('keeps what another says to have taken over from it, %s, until it is silent itself', async (_, memberSince) => {
    const call = someone();
    const [victim, liar, other] = [newId('ins'), newId('ins'), newId('ins')];
    const [wanted, unlisted] = [await running(call, victim), await running(call, victim)];
    const marker = await running(call, other);
    {
      await using _victim = executor(victim, memberSince);
      await inherit(victim, liar, [wanted], minutesAgo(10));
      await inherit(victim, liar, [wanted]);
      // Heard of after that of the liar.
      await inherit(other, liar, [marker]);
      await expect.poll(() => recordOf(marker), WITHIN).toEqual([...RUNS, liar]);
      await end(call, wanted, liar);
      for (const id of [wanted, unlisted]) expect(await recordOf(id)).toEqual([...RUNS, victim]);
      expect(await query('select 1 from inheritances where executor_id = $1', [victim])).toEqual([]);
    }
    await expect.poll(() => recordOf(unlisted), WITHIN).toEqual(['STOPPED', 'HOST_LOST', victim]);
  });

  test('again after it was lost keeps what it has begun since', async () => {
    const call = someone();
    const [back, heir] = [newId('ins'), newId('ins')];
    const [before, since] = [await running(call, back), await running(call, back)];
    await age('sandboxes', before, 'start_time', '10 minutes');
    await using _back = executor(back, minutesAgo(3));
    await inherit(back, heir, [before, since], minutesAgo(5));
    await expect.poll(() => recordOf(before), WITHIN).toEqual([...RUNS, heir]);
    expect(await recordOf(since)).toEqual([...RUNS, back]);
  });
});

test('what has no executor yet is nobody’s to inherit', async () => {
  const call = someone();
  const pending = (await insertSandbox(call)).sandbox!.id;
  const gone = newId('ins');
  const lost = await running(call, gone);
  await inherit('', newId('ins'), []);
  await inherit(gone, newId('ins'), []);
  await expect.poll(() => recordOf(lost), WITHIN).toEqual(['STOPPED', 'HOST_LOST', gone]);
  expect(await recordOf(pending)).toEqual(['PENDING', 'STOP_REASON_UNSPECIFIED', '']);
});

test('an executor whose sandbox was taken over does not end it, its heir does, also before that is on record', async () => {
  const call = someone();
  const [gone, heir] = [newId('ins'), newId('ins')];
  const [taken, early] = [await running(call, gone), await running(call, gone)];
  const own = await running(call, heir);
  await end(call, early, heir, 'EVICTED');
  // Heard of after that of the other.
  await end(call, own, heir);
  await expect.poll(() => recordOf(own), WITHIN).toEqual(['STOPPED', 'OUT_OF_MEMORY', heir]);
  expect(await recordOf(early)).toEqual([...RUNS, gone]);
  await inherit(gone, heir, [taken, early]);
  await expect.poll(() => recordOf(taken), WITHIN).toEqual([...RUNS, heir]);
  await end(call, taken, gone);
  await expect.poll(() => recordOf(early), WITHIN).toEqual(['STOPPED', 'EVICTED', heir]);
  await end(call, taken, heir, 'EXPIRED');
  await expect.poll(() => recordOf(taken), WITHIN).toEqual(['STOPPED', 'EXPIRED', heir]);
});

test('a sandbox that ended before it ran has failed to start, on any executor', async () => {
  const call = someone();
  const { id } = (await insertSandbox(call)).sandbox!;
  await end(call, id, newId('ins'));
  await expect.poll(() => recordOf(id), WITHIN).toEqual(['STOPPED', 'FAILED_TO_START', '']);
  const { sandbox } = await reads().sandboxes.getSandbox({ sandboxId: id }, call);
  expect(sandbox).toMatchObject({ state: 'STOPPED' });
});
