import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Cluster } from '../backends/backend.ts';
import type { Claim } from '../backends/claim.ts';
import { type Claims, openClaims } from './claims.ts';

const INSTANCE = 'ins_1';
const CLAIM: Claim = {
  sandboxId: 'sbx_1',
  organizationId: 'org_1',
  template: 'python',
  limits: { memoryBytes: 1, processes: 1, diskBytes: 1, cpus: 1 },
  expireTime: 0,
  confirmed: false,
};
const times = Array.from({ length: 50 }, (_, i) => i);
let directory: string;
let claims: Claims;
const noted: Claim[] = [];
const cluster = { note: (_, claim) => void noted.push(claim) } as Partial<Cluster> as Cluster;

beforeAll(async () => {
  directory = await mkdtemp(join(tmpdir(), 'drydock-claims-'));
  claims = await openClaims(directory, { cluster });
});
afterAll(() => rm(directory, { recursive: true }));

test('the last of concurrent writes wins', async () => {
  await Promise.all(times.map((expireTime) => claims.write(INSTANCE, { ...CLAIM, expireTime })));
  expect(await claims.read(INSTANCE)).toEqual({ ...CLAIM, expireTime: times.at(-1) });
  expect(noted).toEqual([]);
});

test('a claim that is removed during its write stays removed', async () => {
  const writing = claims.write(INSTANCE, { ...CLAIM, confirmed: true });
  await claims.remove(INSTANCE);
  await writing;
  expect(await claims.list()).toEqual([]);
  expect(noted).toEqual([{ ...CLAIM, confirmed: true }]);
});
