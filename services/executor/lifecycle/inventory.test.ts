import { mkdir, mkdtemp, rm, symlink, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { parseCatalog } from '#libs/catalog/catalog.ts';
import { createLogger } from '#libs/log.ts';
import type { Backend, Cluster, Takeover } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import { type Capacity, createCapacity } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import { type Claims, openClaims } from '../sandboxes/claims.ts';
import { createQuarantine, type Quarantine } from '../sandboxes/quarantine.ts';
import type { Sandboxes } from '../sandboxes/sandboxes.ts';
import { createInventory, type Dependencies, type Inventory } from './inventory.ts';

const MiB = 1024 * 1024;
const HOUR_MS = 3_600_000;
const limits = { memoryBytes: 256 * MiB, processes: 64, diskBytes: 64 * MiB, cpus: 1 };
const python = { id: 'python', description: 'Python', image: 'python', limits, writableRoot: false, runtime: null };
const language = {
  name: 'python',
  displayName: 'Python',
  template: 'python',
  sourceFile: 'main.py',
  extensions: ['.py'],
  run: ['python3'],
};
const catalog = parseCatalog({
  templates: [{ ...python, pool: { floor: 0, ceiling: 0 } }],
  languages: [language],
});

let directory: string;
let claims: Claims;
let capacity: Capacity;
let quarantine: Quarantine;
let existing: Awaited<ReturnType<Backend['list']>>;
let known: Set<string>;
let adopted: Claim[];
let destroyed: string[];
let reported: string[];
let logged: string[];
let takenOver: string[][];
let takeovers: Takeover[];
let dependencies: Dependencies;
let inventory: Inventory;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-inventory-'));
  claims = await openClaims(directory, {});
  [existing, known, adopted, destroyed, reported, logged, takenOver] = [[], new Set(), [], [], [], [], []];
  takeovers = [];
  const log = Object.assign(createLogger('test'), { error: (_: object, message: string) => void logged.push(message) });
  capacity = createCapacity({ maxSandboxes: 10, memoryBytes: 1_024 * MiB, processes: 1_000 });
  quarantine = createQuarantine({ capacity, largest: { memoryBytes: 512 * MiB, processes: 100 }, log });
  const backend = {
    list: async () => existing,
    cluster: { takeOver: async () => takeovers } as Partial<Cluster> as Cluster,
  } as Partial<Backend> as Backend;
  const instances = {
    known: () => new Set(known),
    async adopt(id, template) {
      known.add(id);
      return { id, template, limits } as Instance;
    },
    async destroyUnknown(id) {
      destroyed.push(id);
      existing = existing.filter(({ instanceId }) => instanceId !== id);
    },
  } as Partial<Instances> as Instances;
  const sandboxes = {
    async adopt(_, claim) {
      adopted.push(claim);
    },
    list: () => adopted,
  } as Partial<Sandboxes> as Sandboxes;
  dependencies = {
    ...{ backend, instances, sandboxes, claims, catalog, quarantine, log },
    reporter: {
      start: () => new AsyncDisposableStack(),
      report: ({ sandboxId }) => void reported.push(sandboxId),
      reportTakeover: async (_, sandboxIds) => void takenOver.push(sandboxIds),
    },
  } as Partial<Dependencies> as Dependencies;
  inventory = createInventory(dependencies);
});
afterEach(() => rm(directory, { recursive: true }));

const claimOf = (sandboxId: string, fields: Partial<Claim> = {}): Claim => ({
  ...{ sandboxId, organizationId: 'org_1', template: 'python', limits, confirmed: true },
  expireTime: Date.now() + HOUR_MS,
  ...fields,
});
const fileOf = (instanceId: string) => join(directory, 'claims', `${instanceId}.json`);
const exists = (instanceId: string, note?: string) => existing.push({ instanceId, running: true, note });

test('an instance with a confirmed claim is adopted; without one it is destroyed', async () => {
  for (const id of ['ins_ours', 'ins_unconfirmed', 'ins_nobodys']) exists(id);
  await claims.write('ins_ours', claimOf('sbx_ours'));
  await claims.write('ins_unconfirmed', claimOf('sbx_unconfirmed', { confirmed: false }));
  await inventory.adopt();
  expect(adopted).toMatchObject([{ sandboxId: 'sbx_ours' }]);
  expect(destroyed.toSorted()).toEqual(['ins_nobodys', 'ins_unconfirmed']);
  expect(reported).toEqual(['sbx_unconfirmed']);
  expect(await claims.list()).toEqual(['ins_ours']);
});

const whole = JSON.stringify(claimOf('sbx_lost'));
const UNREADABLE: Record<string, (file: string) => Promise<unknown>> = {
  'an empty file': (file) => writeFile(file, ''),
  'a truncated file': (file) => writeFile(file, whole.slice(0, -20)),
  'a file of zeros': (file) => writeFile(file, Buffer.alloc(200)),
  'a file without a limit': (file) => writeFile(file, whole.replace(/"cpus":1/, '"cpus":null')),
  'a file of a newer version': (file) => writeFile(file, whole.replace('{', '{"userId":70001,')),
  'a directory': (file) => mkdir(file),
  'a symbolic link to itself': (file) => symlink(file, file),
  'a claim behind a file': async (file) => {
    await rm(join(directory, 'claims'), { recursive: true });
    await writeFile(join(file, '..'), '');
  },
};

describe.each(Object.entries(UNREADABLE))('%s instead of a claim', (name, damage) => {
  test('quarantines its instance, is logged once, and is retried', async () => {
    exists('ins_lost');
    await damage(fileOf('ins_lost'));
    if (name !== 'a claim behind a file') await inventory.adopt();
    await inventory.reconcile();
    await inventory.reconcile();
    expect([destroyed, reported, adopted]).toEqual([[], [], []]);
    expect(logged).toEqual([expect.stringMatching(/quarantined/)]);
    expect(quarantine.ids()).toEqual(['ins_lost']);

    await rm(join(directory, 'claims'), { recursive: true });
    await mkdir(join(directory, 'claims'));
    await claims.write('ins_lost', claimOf('sbx_lost'));
    await inventory.reconcile();
    expect(adopted).toMatchObject([{ sandboxId: 'sbx_lost' }]);
    expect(quarantine.ids()).toEqual([]);
  });
});

test('an unreadable claim does not keep others from being adopted', async () => {
  exists('ins_lost');
  exists('ins_ours');
  await writeFile(fileOf('ins_lost'), '');
  await claims.write('ins_ours', claimOf('sbx_ours'));
  await inventory.adopt();
  expect(adopted).toMatchObject([{ sandboxId: 'sbx_ours' }]);
});

test('a damaged claim holds as long as a sandbox can live', async () => {
  exists('ins_lost');
  await writeFile(fileOf('ins_lost'), '');
  const written = (hoursAgo: number) => {
    const time = new Date(Date.now() - hoursAgo * HOUR_MS);
    return utimes(fileOf('ins_lost'), time, time);
  };
  await written(24);
  await inventory.reconcile();
  expect(destroyed).toEqual([]);
  await written(26);
  await inventory.reconcile();
  expect(destroyed).toEqual(['ins_lost']);
  expect(await claims.list()).toEqual([]);
  expect(quarantine.ids()).toEqual([]);
});

test('a damaged claim without an instance is kept, and reported once it can be read', async () => {
  await writeFile(fileOf('ins_gone'), '');
  await inventory.adopt();
  expect(await claims.list()).toEqual(['ins_gone']);
  await claims.write('ins_gone', claimOf('sbx_gone'));
  await inventory.reconcile();
  expect(reported).toEqual(['sbx_gone']);
  expect(await claims.list()).toEqual([]);
});

describe('the claim on an instance', () => {
  test('is used if there is no file, or an unreadable one', async () => {
    exists('ins_1', JSON.stringify(claimOf('sbx_1')));
    exists('ins_2', JSON.stringify(claimOf('sbx_2')));
    await writeFile(fileOf('ins_2'), '');
    await inventory.adopt();
    expect(adopted.map(({ sandboxId }) => sandboxId).toSorted()).toEqual(['sbx_1', 'sbx_2']);
  });

  test('quarantines its instance alone if it is damaged', async () => {
    exists('ins_lost', '{');
    exists('ins_ours', JSON.stringify(claimOf('sbx_ours')));
    await inventory.adopt();
    await inventory.reconcile();
    expect(destroyed).toEqual([]);
    expect(quarantine.ids()).toEqual(['ins_lost']);
    expect(adopted).toMatchObject([{ sandboxId: 'sbx_ours' }]);
  });
});

test('an instance in quarantine takes its capacity until it is destroyed', async () => {
  exists('ins_lost', '{');
  await inventory.adopt();
  expect(quarantine.occupying()).toBe(1);
  const free = capacity.freeMemoryBytes();
  const destruction = Promise.withResolvers<void>();
  dependencies.instances.destroyUnknown = () => destruction.promise;
  const begun = vi.spyOn(dependencies.instances, 'destroyUnknown');
  await claims.write('ins_lost', claimOf('sbx_lost', { confirmed: false }));
  inventory = createInventory(dependencies);
  const reconciled = inventory.reconcile();
  await vi.waitFor(() => expect(begun).toHaveBeenCalledOnce());
  expect([quarantine.ids(), capacity.freeMemoryBytes()]).toEqual([['ins_lost'], free]);
  destruction.resolve();
  await reconciled;
  expect(quarantine.ids()).toEqual([]);
  expect(capacity.freeMemoryBytes()).toBe(free + 512 * MiB);
});

test('a claim alone takes no capacity', async () => {
  await writeFile(fileOf('ins_gone'), '');
  await inventory.adopt();
  expect([quarantine.ids(), quarantine.occupying()]).toEqual([['ins_gone'], 0]);
});

test('a sandbox that cannot be adopted is quarantined until its deadline, and reported as held here', async () => {
  dependencies.instances.adopt = async () => {
    throw new Error('ENOSPC: no space left on device');
  };
  takeovers = [{ executorId: 'e0', lostTime: new Date(), settled: async () => {} }];
  exists('ins_1', JSON.stringify(claimOf('sbx_1')));
  await inventory.reconcile();
  expect(destroyed).toEqual([]);
  expect(takenOver).toEqual([['sbx_1']]);
  existing = [{ instanceId: 'ins_1', running: true, note: JSON.stringify(claimOf('sbx_1', { expireTime: 1 })) }];
  await inventory.reconcile();
  expect(destroyed).toEqual(['ins_1']);
  expect(reported).toEqual(['sbx_1']);
});

test('what is quarantined takes capacity until it is adopted or ended', async () => {
  const free = () => capacity.freeMemoryBytes() / MiB;
  for (const id of ['ins_damaged', 'ins_1']) exists(id);
  for (const id of ['ins_damaged', 'ins_without']) await writeFile(fileOf(id), '');
  await claims.write('ins_1', claimOf('sbx_1', { template: 'gone' }));
  await inventory.adopt();
  await inventory.reconcile();
  expect(quarantine.ids().toSorted()).toEqual(['ins_1', 'ins_damaged', 'ins_without']);
  expect(free()).toBe(1_024 - 512 - 256);
  await claims.write('ins_1', claimOf('sbx_1'));
  await inventory.reconcile();
  expect(free()).toBe(1_024 - 512);
  await claims.write('ins_damaged', claimOf('sbx_2', { confirmed: false }));
  await inventory.reconcile();
  expect(free()).toBe(1_024);
});

test('a sandbox whose template has left the catalogue is quarantined', async () => {
  exists('ins_1');
  await claims.write('ins_1', claimOf('sbx_1', { template: 'gone' }));
  await inventory.adopt();
  expect(destroyed).toEqual([]);
  expect(quarantine.ids()).toEqual(['ins_1']);
});

describe('an instance that does not end', () => {
  let ended: PromiseWithResolvers<void>;
  let asked: string[];
  beforeEach(async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    ended = Promise.withResolvers();
    asked = [];
    const { destroyUnknown } = dependencies.instances;
    dependencies.instances.destroyUnknown = async (id) => {
      asked.push(id);
      if (id === 'ins_stuck') await ended.promise;
      await destroyUnknown(id);
    };
    for (const id of ['ins_stuck', 'ins_ours', 'ins_nobodys']) exists(id);
    await claims.write('ins_stuck', claimOf('sbx_stuck', { confirmed: false }));
    await claims.write('ins_ours', claimOf('sbx_ours'));
  });
  afterEach(() => vi.useRealTimers());

  /** Lets 2 s pass once somebody waits for them, which is after files were read. */
  const waitOut = async (work: Promise<unknown>) => {
    while (vi.getTimerCount() === 0) await new Promise((resolve) => setImmediate(resolve));
    await vi.advanceTimersByTimeAsync(2_000);
    await work;
  };

  test('keeps an executor from nothing for longer than 2 s, and is asked to end once', async () => {
    await waitOut(inventory.adopt());
    expect(adopted).toMatchObject([{ sandboxId: 'sbx_ours' }]);
    expect(destroyed).toEqual(['ins_nobodys']);
    await waitOut(inventory.reconcile());
    expect(asked.filter((id) => id === 'ins_stuck')).toHaveLength(1);
    expect(await claims.list()).toContain('ins_stuck');

    ended.resolve();
    await vi.waitFor(async () => expect(await claims.list()).toEqual(['ins_ours']));
    expect(reported).toEqual(['sbx_stuck']);
  });

  test('and whose sandbox has another one by then is not reported as its end', async () => {
    await waitOut(inventory.adopt());
    adopted.push(claimOf('sbx_stuck'));
    ended.resolve();
    await vi.waitFor(async () => expect(await claims.list()).toEqual(['ins_ours']));
    expect(reported).toEqual([]);
  });
});
