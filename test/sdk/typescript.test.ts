import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import Table from 'cli-table3';
import { afterAll, expect, test } from 'vitest';
import { parse } from 'yaml';
import { ROOT } from '../../deploy/host/root.ts';
import { sdk } from './fixture.ts';
import { clients } from './scenarios/clients.ts';
import { commands } from './scenarios/commands.ts';
import { faults } from './scenarios/faults.ts';
import { organizations } from './scenarios/organizations.ts';
import { programs } from './scenarios/programs.ts';
import { sandboxes } from './scenarios/sandboxes.ts';

const listed = parse(await readFile(join(ROOT, 'libs/sdk/scenarios.yaml'), 'utf8')) as { id: string; what: string }[];
const scenarios = { ...clients, ...programs, ...sandboxes, ...commands, ...organizations, ...faults };
const outcomes = new Map<string, string>();

afterAll(() => {
  const table = new Table({ head: ['scenario', 'TypeScript'], style: { head: [], border: [] } });
  for (const { id } of listed) table.push([id, outcomes.get(id) ?? 'missing']);
  process.stdout.write(`${table}\n`);
});

test('every scenario is there, and no other', () => {
  expect(Object.keys(scenarios).sort()).toEqual(listed.map(({ id }) => id).sort());
});

test('the version is the package’s', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'libs/sdk/typescript/package.json'), 'utf8'));
  expect(sdk.VERSION).toBe(version);
});

test.concurrent.each(listed)('$what', async ({ id }) => {
  const began = performance.now();
  outcomes.set(id, 'failed');
  await scenarios[id]!();
  outcomes.set(id, `${Math.round(performance.now() - began)} ms`);
});
