import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCatalog } from '#libs/catalog/catalog.ts';
import { DrydockError } from '#libs/errors.ts';
import { createLogger } from '#libs/log.ts';
import { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Backend } from '../backends/backend.ts';
import { createCapacity } from '../instances/capacity.ts';
import type { Instance, Instances } from '../instances/instances.ts';
import type { Pool } from '../instances/pool.ts';
import { openClaims } from './claims.ts';
import { createSandboxes, type Sandboxes } from './sandboxes.ts';

const MiB = 1024 * 1024;
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
const { signal } = new AbortController();

let directory: string;
let sandboxes: Sandboxes;
let warm: Instance[];
let ended: string[];
let made: number;
/** The limits that were requested; `setLimits` decides whether they fit, or throws. */
let asked: { id: string; cpus: number }[];
let setLimits: (cpus: number) => boolean;

const instance = (id: string) =>
  ({
    id,
    template: catalog.templates.get('python')!,
    limits,
    link: { control: { bind: async () => ({}) } } as unknown as Instance['link'],
  }) satisfies Instance;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-sandboxes-'));
  [warm, ended, made] = [[instance('ins_1'), instance('ins_2')], [], 0];
  const log = createLogger('test');
  asked = [];
  setLimits = () => true;
  const backend = {
    capabilities: { changesLimits: true },
    async setLimits(id, { cpus }) {
      asked.push({ id, cpus });
      return setLimits(cpus);
    },
  } as Partial<Backend> as Backend;
  const instances = {
    async create() {
      made += 1;
      return instance(`ins_made_${made}`);
    },
    destroy: async ({ id }) => void ended.push(id),
    abandon: async ({ id }) => void ended.push(id),
  } as Partial<Instances> as Instances;
  const pool = {
    take: () => warm.shift(),
    giveBack: (instance) => void warm.unshift(instance),
  } as Partial<Pool> as Pool;
  const capacity = createCapacity({ maxSandboxes: 3, memoryBytes: 1024 * MiB, processes: 10_000 });
  const claims = await openClaims(directory, {});
  sandboxes = createSandboxes({ backend, instances, pool, claims, capacity, catalog, log });
});
afterEach(() => rm(directory, { recursive: true }));

const specOf = (sandboxId: string, cpus = limits.cpus) =>
  SandboxSpec.create({
    sandboxId,
    organizationId: 'org_1',
    template: 'python',
    limits: { ...limits, cpus },
    expireTime: new Date(Date.now() + 300_000),
    tenancy: { sharedPool: true, sandboxes: 10 },
  });
const claim = (sandboxId: string, cpus?: number) => sandboxes.claim(specOf(sandboxId, cpus), signal);
const files = () => join(directory, 'claims');
const fileOf = (instanceId: string) => join(files(), `${instanceId}.json`);
const written = async (instanceId: string) => JSON.parse(await readFile(fileOf(instanceId), 'utf8'));
/** Makes the next write of the claim fail with ENOSPC. */
const fillDisk = (instanceId: string) => symlink('/dev/full', `${fileOf(instanceId)}.new`);

describe('where claims cannot be written', () => {
  test('a sandbox is refused, no warm one is lost, and a later claim succeeds', async () => {
    await rm(files(), { recursive: true });
    await writeFile(files(), '');
    for (const sandboxId of ['sbx_1', 'sbx_2'])
      await expect(claim(sandboxId)).rejects.toMatchObject({
        reason: 'NO_CAPACITY',
        message: expect.stringContaining('free or mend the disk'),
      });
    expect([warm.map(({ id }) => id), ended, made]).toEqual([['ins_1', 'ins_2'], [], 0]);
    await rm(files());
    await mkdir(files());
    expect(await claim('sbx_1')).toMatchObject({ warm: true, instance: { id: 'ins_1' } });
    expect(await written('ins_1')).toMatchObject({ sandboxId: 'sbx_1' });
  });

  test('a failed write leaves no file', async () => {
    await fillDisk('ins_1');
    await expect(claim('sbx_1')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
    await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await claim('sbx_1')).toMatchObject({ instance: { id: 'ins_1' } });
  });

  test('a cold sandbox is refused for the same reason', async () => {
    warm = [];
    await fillDisk('ins_made_1');
    await expect(claim('sbx_1')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
    expect(ended).toEqual(['ins_made_1']);
  });

  test.each(['confirmed', 'extended'])('a sandbox that is %s stays so, and the claim is written later', async (how) => {
    const sandbox = await claim('sbx_1');
    const expireTime = new Date(Date.now() + 900_000);
    await fillDisk('ins_1');
    const changed = how === 'confirmed' ? sandboxes.confirm(sandbox) : sandboxes.extend(sandbox, expireTime);
    await expect(changed).rejects.toMatchObject({ code: 'ENOSPC' });
    expect(await written('ins_1')).toMatchObject({ sandboxId: 'sbx_1', confirmed: false });
    await fillDisk('ins_1');
    await expect(sandboxes.writeAgain()).rejects.toMatchObject({ code: 'ENOSPC' });
    await sandboxes.writeAgain();
    const expected = how === 'confirmed' ? { confirmed: true } : { expireTime: expireTime.getTime() };
    expect(await written('ins_1')).toMatchObject({ sandboxId: 'sbx_1', ...expected });
    await rm(fileOf('ins_1'));
    // A claim that was written is not written again.
    await sandboxes.writeAgain();
    await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});

describe('limits that a warm sandbox cannot have now', () => {
  const refuse = (reason: 'NO_CAPACITY' | 'SERVICE_UNAVAILABLE', when: (cpus: number) => boolean) => (cpus: number) => {
    if (when(cpus)) throw new DrydockError(reason, 'no');
    return true;
  };

  test.each(['NO_CAPACITY', 'SERVICE_UNAVAILABLE'] as const)(
    'create another instance, and leave it warm: %s',
    async (reason) => {
      setLimits = refuse(reason, (cpus) => cpus === 16);
      expect(await claim('sbx_1', 16)).toMatchObject({ warm: false, instance: { id: 'ins_made_1' } });
      await expect.poll(() => warm.map(({ id }) => id)).toEqual(['ins_1', 'ins_2']);
      expect(asked).toEqual([
        { id: 'ins_1', cpus: 16 },
        { id: 'ins_1', cpus: 1 },
      ]);
      expect(ended).toEqual([]);
      await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
      expect(await claim('sbx_2')).toMatchObject({ warm: true, instance: { id: 'ins_1' } });
    },
  );

  test('are not requested again soon if there is no capacity for them', async () => {
    setLimits = refuse('NO_CAPACITY', (cpus) => cpus === 16);
    await claim('sbx_1', 16);
    await expect.poll(() => warm.length).toBe(2);
    asked = [];
    expect(await claim('sbx_2', 16)).toMatchObject({ warm: false });
    expect(asked).toEqual([]);
    await sandboxes.destroy('sbx_2');
    expect(await claim('sbx_3', 2)).toMatchObject({ warm: true });
  });

  test('destroy it if its old limits cannot be restored', async () => {
    setLimits = refuse('SERVICE_UNAVAILABLE', () => true);
    expect(await claim('sbx_1', 16)).toMatchObject({ warm: false });
    await expect.poll(() => ended).toEqual(['ins_1']);
    expect(warm.map(({ id }) => id)).toEqual(['ins_2']);
    await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
  });
});
