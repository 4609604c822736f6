import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Call } from '#libs/grpc/rpc.ts';
import { EXECUTION_CANCELLED, ORGANIZATION_DELETED } from '#libs/nats/subjects.ts';
import { someone } from '../records-fixture.ts';
import { page, useWebhooks } from '../webhooks/webhooks-fixture.ts';

const parts = useWebhooks();
const { reads, webhooks, query, consume, publish, told, sweepOnce, endOrganizationsOnce } = parts;
const { insertSandbox, insertExecution, submit, begin, run, complete, listSandboxes, create, end } = parts;
let consumers: AsyncDisposable;
beforeAll(() => {
  consumers = consume();
});
afterAll(() => consumers[Symbol.asyncDispose]());

const organizationOf = (call: Call) => call.caller!.organizationId;
const endingSince = async (call: Call): Promise<Date | null | undefined> =>
  (await query('select ending_since from tenants where organization_id = $1', [organizationOf(call)]))[0]?.ending_since;
async function deleteOrganization(call: Call): Promise<void> {
  const before = await endingSince(call);
  await publish(ORGANIZATION_DELETED, { organizationId: organizationOf(call) });
  await expect.poll(() => endingSince(call)).not.toEqual(before);
}
const executionsOf = async (call: Call) =>
  (await reads().executions.listExecutions({ pageSize: 0, pageToken: '', states: [] }, call)).executions;
const statesOf = async (call: Call) => {
  const [{ sandboxes }, executions] = await Promise.all([listSandboxes(call), executionsOf(call)]);
  return [...sandboxes, ...executions].map(({ state }) => state);
};

test('what an organisation had ends with it, its holders are told, and others keep theirs', async () => {
  const [call, other] = [someone(), someone()];
  const pending = (await insertSandbox(call)).sandbox!.id;
  const running = (await insertSandbox(call)).sandbox!.id;
  await run(call, running);
  const { execution: waitedFor } = await insertExecution(call);
  const taken = await begin(call);
  const finished = await end(call);
  const queued = (await submit(call)).id;
  await run(other, (await insertSandbox(other)).sandbox!.id);
  await submit(other);

  await deleteOrganization(call);
  await endOrganizationsOnce();
  const { sandboxes } = await listSandboxes(call);
  expect(sandboxes.map(({ state, stopReason }) => [state, stopReason])).toEqual([
    ['STOPPED', 'DELETED'],
    ['STOPPED', 'DELETED'],
  ]);
  for (const id of [pending, running]) expect((await told(id)).at(-1)).toMatchObject({ state: 'STOPPED' });
  const verdicts = new Map((await executionsOf(call)).map(({ id, verdict }) => [id, verdict]));
  expect(verdicts.get(finished)).toBe('ACCEPTED');
  const cancelled = [waitedFor!.id, taken, queued];
  for (const id of cancelled) expect(verdicts.get(id)).toBe('CANCELLED');
  const outbox: { payload: Buffer }[] = await query('select payload from outbox where subject = $1', [
    EXECUTION_CANCELLED.subject,
  ]);
  const heard = cancelled.map((id) => outbox.filter(({ payload }) => payload.includes(id)).length);
  // Nobody holds the one that is queued.
  expect(heard).toEqual([1, 1, 0]);
  await complete(call, taken);
  expect((await executionsOf(call)).find(({ id }) => id === taken)).toMatchObject({ state: 'CANCELLED' });
  expect((await statesOf(other)).sort()).toEqual(['QUEUED', 'RUNNING']);

  await deleteOrganization(call);
  await endOrganizationsOnce();
  expect(await told(running)).toHaveLength(2);
});

test('its webhooks go with their deliveries and secrets, and hear nothing of what was cancelled', async () => {
  const [call, other] = [someone(), someone()];
  const { webhook } = await create(call);
  await create(other);
  await end(call);
  await submit(call);
  const deliveries = 'select execution_id from webhook_deliveries where organization_id = $1';
  expect(await query(deliveries, [organizationOf(call)])).toHaveLength(1);
  await deleteOrganization(call);
  await endOrganizationsOnce();
  expect(await query(deliveries, [organizationOf(call)])).toHaveLength(1);
  expect((await webhooks().listWebhooks(page, call)).webhooks).toEqual([]);
  expect(await query('select 1 from webhook_secrets where webhook_id = $1', [webhook.id])).toEqual([]);
  await sweepOnce();
  expect(await query(deliveries, [organizationOf(call)])).toEqual([]);
  expect(await query('select 1 from webhooks where organization_id = $1', [organizationOf(call)])).toEqual([]);
  expect((await webhooks().listWebhooks(page, other)).webhooks).toHaveLength(1);
});

test('more than one batch is ended at a time, by replicas that share the work, each once', async () => {
  const [call, other] = [someone(1_000), someone(1_000)];
  const each = Array.from({ length: 150 }, () => [call, other]).flat();
  await Promise.all(each.map((owner) => insertSandbox(owner)));
  await Promise.all(each.map((owner) => submit(owner)));
  await Promise.all([deleteOrganization(call), deleteOrganization(other)]);
  await Promise.all([endOrganizationsOnce(), endOrganizationsOnce(), endOrganizationsOnce()]);
  for (const owner of [call, other]) {
    const rows = await query(
      `select 1 from sandboxes where organization_id = $1 and state <> 'STOPPED'
       union all select 1 from executions where organization_id = $1 and state <> 'CANCELLED'`,
      [organizationOf(owner)],
    );
    expect(rows).toEqual([]);
    const { sandboxes } = await listSandboxes(owner);
    expect(await told(sandboxes[0]!.id)).toHaveLength(1);
  }
});

test('what a last call still writes ends too, until no call can come any more', async () => {
  const call = someone();
  await deleteOrganization(call);
  await endOrganizationsOnce();
  const late = (await insertSandbox(call)).sandbox!.id;
  await submit(call);
  await endOrganizationsOnce();
  expect(new Set(await statesOf(call))).toEqual(new Set(['STOPPED', 'CANCELLED']));
  await expect(run(call, late)).rejects.toMatchObject({ reason: 'SANDBOX_NOT_RUNNING' });
  expect(await endingSince(call)).toBeInstanceOf(Date);
  await query(`update tenants set ending_since = ending_since - interval '21 minutes' where organization_id = $1`, [
    organizationOf(call),
  ]);
  await endOrganizationsOnce();
  expect(await endingSince(call)).toBeNull();
});
