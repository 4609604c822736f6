import { expect, test } from 'vitest';
import type { Template } from '#libs/catalog/catalog.ts';
import type { Tenant } from '../backends/tenant.ts';
import { createStock, isIdle, takeFrom, targetOf, tookMs } from './stock.ts';

const NOW = 1_000_000;
const MINUTE = 60_000;
const template = { id: 'python', pool: { floor: 2, ceiling: 8 } } as Template;
const tenant: Tenant = { organizationId: 'org_ours', sharedPool: false, sandboxes: 5 };

const claim = (stock: ReturnType<typeof createStock>, times: number, at = NOW) => {
  for (let i = 0; i < times; i++) takeFrom(stock, at);
};

test('what waits for whoever comes follows demand between floor and ceiling', () => {
  const stock = createStock(template, 'sandbox', null);
  expect(targetOf(stock, NOW)).toBe(2);
  claim(stock, 20);
  expect(targetOf(stock, NOW)).toBe(4);
  claim(stock, 200);
  expect(targetOf(stock, NOW)).toBe(8);
  expect(targetOf(stock, NOW + MINUTE)).toBe(2);
});

test('what takes longer to make is made earlier', () => {
  const stock = createStock(template, 'sandbox', null);
  claim(stock, 20);
  tookMs(stock, 2_500);
  expect(targetOf(stock, NOW)).toBe(7);
});

test('an organisation finds one of its own for a minute after it came, and then none', () => {
  const stock = createStock(template, 'sandbox', tenant);
  expect(targetOf(stock, NOW)).toBe(0);
  claim(stock, 1);
  expect(targetOf(stock, NOW + MINUTE - 1)).toBe(1);
  expect(isIdle(stock, NOW + MINUTE - 1)).toBe(false);
  expect(targetOf(stock, NOW + MINUTE)).toBe(0);
  expect(isIdle(stock, NOW + MINUTE)).toBe(true);
});

test('no more wait for an organisation than it may have', () => {
  const stock = createStock(template, 'sandbox', tenant);
  claim(stock, 200);
  expect(targetOf(stock, NOW)).toBe(5);
  stock.tenant = { ...tenant, sandboxes: 6 };
  expect(targetOf(stock, NOW)).toBe(6);
});
