import { describe, expect, test } from 'vitest';
import { newId } from '#libs/ids.ts';
import { UpdateSandboxRequest } from '#proto/drydock/v1/sandbox.ts';
import { someone, useRecords } from '../records-fixture.ts';

const { records, reads, insertSandbox, insertExecution, run, stop, complete, listSandboxes } = useRecords();

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
      reads().executions.getExecution({ executionId, wait: undefined }, stranger),
      reads().executions.cancelExecution({ executionId }, stranger),
      complete(stranger, executionId),
    ]);
    expect(answers.map((answer) => answer.status === 'rejected' && answer.reason)).toMatchObject([
      ...Array(5).fill(noSandbox),
      ...Array(3).fill(noExecution),
    ]);
    const lists = await Promise.all([
      listSandboxes(stranger),
      reads().executions.listExecutions({ pageSize: 0, pageToken: '', states: [] }, stranger),
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
