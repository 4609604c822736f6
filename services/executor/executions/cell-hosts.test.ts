import { beforeEach, expect, test } from 'vitest';
import { parseCatalog } from '#libs/catalog/catalog.ts';
import { createLogger } from '#libs/log.ts';
import { createCapacity } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import { type CellHost, type CellHosts, createCellHosts } from './cell-hosts.ts';

const MiB = 1024 * 1024;
const MINUTE = 60_000;
const signal = new AbortController().signal;
const limits = { memoryBytes: 256 * MiB, processes: 64, diskBytes: 64 * MiB, cpus: 1 };
const catalog = parseCatalog({
  templates: [
    {
      id: 'python',
      description: 'Python',
      image: 'python',
      limits,
      writableRoot: false,
      runtime: null,
      pool: { floor: 0, ceiling: 0 },
    },
  ],
  languages: [
    {
      name: 'python',
      displayName: 'Python',
      template: 'python',
      sourceFile: 'main.py',
      extensions: ['.py'],
      run: ['python3'],
    },
  ],
});

let cellHosts: CellHosts;
let made: string[];
let destroyed: string[];
let isAway: boolean;

beforeEach(() => {
  made = [];
  destroyed = [];
  isAway = false;
  const instances = {
    async create({ template }) {
      const id = `ins_${made.length}`;
      made.push(id);
      return { id, template, limits } as Instance;
    },
    async destroy({ id }) {
      if (isAway) throw new Error('the engine is away');
      destroyed.push(id);
    },
  } as Partial<Instances> as Instances;
  const pool = { take: () => undefined } as Partial<Pool> as Pool;
  const capacity = createCapacity({ maxSandboxes: 3, memoryBytes: 1024 * MiB, processes: 10_000 });
  cellHosts = createCellHosts({ instances, pool, capacity, catalog, idleMs: MINUTE, log: createLogger('test') });
  capacity.reclaimFrom(cellHosts.evict);
});

const take = (organizationId: string, memoryBytes = 256 * MiB): Promise<CellHost> =>
  cellHosts.take(
    {
      tenant: { organizationId, sharedPool: true, sandboxes: 10 },
      template: 'python',
      limits: { ...limits, memoryBytes },
    },
    signal,
  );
const giveBack = (host: CellHost): Promise<void> => cellHosts.release(host, Promise.resolve(true));
const use = async (organizationId: string, memoryBytes?: number): Promise<string> => {
  const host = await take(organizationId, memoryBytes);
  await giveBack(host);
  return host.instance.id;
};

test('one execution uses a cell host at a time, and only its own organisation’s', async () => {
  const [first, second] = [await take('a'), await take('a')];
  expect(first.instance.id).not.toBe(second.instance.id);
  await giveBack(first);
  expect(await use('b')).toBe('ins_2');
  expect(await use('a')).toBe('ins_0');
});

test('its own organisation waits for a cell to be closed, another one does not', async () => {
  const host = await take('a');
  const closed = Promise.withResolvers<boolean>();
  const left = cellHosts.release(host, closed.promise);
  const next = take('a');
  expect(await use('b')).toBe('ins_1');
  closed.resolve(true);
  expect((await next).instance.id).toBe('ins_0');
  await left;
});

test('a cell host whose cell may still run is destroyed', async () => {
  const host = await take('a');
  const closed = Promise.withResolvers<boolean>();
  void cellHosts.release(host, closed.promise);
  const next = take('a');
  closed.resolve(false);
  expect((await next).instance.id).toBe('ins_1');
  expect(destroyed).toEqual(['ins_0']);
});

test('concurrent executions get different ones', async () => {
  await use('a');
  const [first, second] = await Promise.all([take('a'), take('a')]);
  expect(first.instance.id).not.toBe(second.instance.id);
});

test('after 1,000 executions it is destroyed', async () => {
  const used = new Set<string>();
  for (let i = 0; i < 1_000; i++) used.add(await use('a'));
  expect([used.size, destroyed]).toEqual([1, ['ins_0']]);
  expect(await use('a')).toBe('ins_1');
});

test('it is destroyed when it was idle for too long, or is too old', async () => {
  await use('a');
  cellHosts.sweep(Date.now() + MINUTE / 2);
  expect(destroyed).toEqual([]);
  cellHosts.sweep(Date.now() + MINUTE + 1);
  expect(destroyed).toEqual(['ins_0']);
  const host = await take('a');
  cellHosts.sweep(Date.now() + 31 * MINUTE);
  expect(destroyed).toEqual(['ins_0']);
  await giveBack(host);
  cellHosts.sweep(Date.now() + 31 * MINUTE);
  expect(destroyed).toEqual(['ins_0', 'ins_1']);
});

test('the one idle longest is evicted first, one in use never', async () => {
  const used = await take('a');
  await use('b');
  await use('c');
  await take('d');
  expect(destroyed).toEqual(['ins_1']);
  await take('e');
  expect(destroyed).toEqual(['ins_1', 'ins_2']);
  await expect(take('f')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  const closed = Promise.withResolvers<boolean>();
  const left = cellHosts.release(used, closed.promise);
  const next = take('f');
  closed.resolve(true);
  await Promise.all([left, next]);
  expect(destroyed).toEqual(['ins_1', 'ins_2', 'ins_0']);
});

test('idle ones are evicted for one that needs more memory', async () => {
  await use('a');
  await use('b');
  expect(await use('a', 1000 * MiB)).toBe('ins_0');
  expect(destroyed).toEqual(['ins_1']);
  await expect(use('a', 1025 * MiB)).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  // The failed attempt did not lose it.
  expect(await use('a')).toBe('ins_0');
});

test('a failed removal is retried, and keeps its capacity until then', async () => {
  await use('a', 1024 * MiB);
  isAway = true;
  await expect(take('b')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
  isAway = false;
  cellHosts.sweep(Date.now());
  expect(destroyed).toEqual(['ins_0']);
  await expect.poll(() => cellHosts.idleAndUsed().flat()).toEqual([]);
  expect(await use('a')).toBe('ins_1');
});
