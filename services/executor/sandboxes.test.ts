import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { parseCatalog } from '#libs/catalog/catalog.ts';
import { createLogger } from '#libs/log.ts';
import { SandboxSpec } from '#proto/drydock/internal/v1/spec.ts';
import type { Backend } from './backend.ts';
import { openClaims } from './claims.ts';
import type { Instance, Instances } from './instances.ts';
import type { Pool } from './pool.ts';
import { createRoom } from './room.ts';
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
  const backend = { capabilities: { changesLimits: true } } as Partial<Backend> as Backend;
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
  const room = createRoom({ maxSandboxes: 3, memoryBytes: 1024 * MiB, giveWay: async () => false });
  const claims = await openClaims(directory, { note() {} });
  sandboxes = createSandboxes({ backend, instances, pool: () => pool, claims, room, catalog, log });
});
afterEach(() => rm(directory, { recursive: true }));

const specOf = (sandboxId: string) =>
  SandboxSpec.create({
    sandboxId,
    organizationId: 'org_1',
    template: 'python',
    limits,
    expireTime: new Date(Date.now() + 300_000),
    tenancy: { sharedPool: true, sandboxes: 10 },
  });
const claim = (sandboxId: string) => sandboxes.claim(specOf(sandboxId), signal);
const files = () => join(directory, 'claims');
const fileOf = (instanceId: string) => join(files(), `${instanceId}.json`);
const written = async (instanceId: string) => JSON.parse(await readFile(fileOf(instanceId), 'utf8'));
/** The next time that the claim is written, there is no room left on the disk. */
const fillDisk = (instanceId: string) => symlink('/dev/full', `${fileOf(instanceId)}.new`);

describe('where claims cannot be written', () => {
  test('a sandbox is refused, no warm one is lost, and the next one is given out once they can', async () => {
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

  test('what a disk is too full for leaves nothing there', async () => {
    await fillDisk('ins_1');
    await expect(claim('sbx_1')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
    await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
    expect(await claim('sbx_1')).toMatchObject({ instance: { id: 'ins_1' } });
  });

  test('one that had to be made is refused for the same reason', async () => {
    warm = [];
    await fillDisk('ins_made_1');
    await expect(claim('sbx_1')).rejects.toMatchObject({ reason: 'NO_CAPACITY' });
    expect(ended).toEqual(['ins_made_1']);
  });

  test.each(['confirmed', 'extended'])(
    'one that is %s stays what it was told, and is written down later',
    async (how) => {
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
      // What is written down is not written down again.
      await sandboxes.writeAgain();
      await expect(written('ins_1')).rejects.toMatchObject({ code: 'ENOENT' });
    },
  );
});
