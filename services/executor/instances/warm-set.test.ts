import { expect, test } from 'vitest';
import type { Template } from '#libs/catalog/catalog.ts';
import type { Tenant } from '../backends/tenant.ts';
import { createWarmSet, isIdle, recordCreationMs, takeFrom, targetOf } from './warm-set.ts';

const NOW = 1_000_000;
const MINUTE = 60_000;
const template = { id: 'python', pool: { floor: 2, ceiling: 8 } } as Template;
const tenant: Tenant = { organizationId: 'org_ours', sharedPool: false, sandboxes: 5 };

const claim = (set: ReturnType<typeof createWarmSet>, times: number, at = NOW) => {
  for (let i = 0; i < times; i++) takeFrom(set, at);
};

test('a shared set follows demand between floor and ceiling', () => {
  const set = createWarmSet(template, 'sandbox', null);
  expect(targetOf(set, NOW)).toBe(2);
  claim(set, 20);
  expect(targetOf(set, NOW)).toBe(4);
  claim(set, 200);
  expect(targetOf(set, NOW)).toBe(8);
  expect(targetOf(set, NOW + MINUTE)).toBe(2);
});

test('a longer creation time raises the target', () => {
  const set = createWarmSet(template, 'sandbox', null);
  claim(set, 20);
  recordCreationMs(set, 2_500);
  expect(targetOf(set, NOW)).toBe(7);
});

test('one instance is reserved for an organisation for a minute after its last claim', () => {
  const set = createWarmSet(template, 'sandbox', tenant);
  expect(targetOf(set, NOW)).toBe(0);
  claim(set, 1);
  expect(targetOf(set, NOW + MINUTE - 1)).toBe(1);
  expect(isIdle(set, NOW + MINUTE - 1)).toBe(false);
  expect(targetOf(set, NOW + MINUTE)).toBe(0);
  expect(isIdle(set, NOW + MINUTE)).toBe(true);
});

test('no more are reserved for an organisation than its quota', () => {
  const set = createWarmSet(template, 'sandbox', tenant);
  claim(set, 200);
  expect(targetOf(set, NOW)).toBe(5);
  set.tenant = { ...tenant, sandboxes: 6 };
  expect(targetOf(set, NOW)).toBe(6);
});
