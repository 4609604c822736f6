import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { ROOT } from '../../deploy/host/root.ts';
import { sdk } from './fixture.ts';
import { keepOutcomes, SCENARIOS } from './outcomes.ts';
import { clients } from './scenarios/clients.ts';
import { commands } from './scenarios/commands.ts';
import { faults } from './scenarios/faults.ts';
import { judging } from './scenarios/judging.ts';
import { organizations } from './scenarios/organizations.ts';
import { processes } from './scenarios/processes.ts';
import { programs } from './scenarios/programs.ts';
import { sandboxes } from './scenarios/sandboxes.ts';

const scenarios = {
  ...clients,
  ...processes,
  ...programs,
  ...sandboxes,
  ...commands,
  ...organizations,
  ...judging,
  ...faults,
};
const outcomes = new Map<string, string>();

afterAll(() => keepOutcomes('TypeScript', outcomes));

test('every scenario is there, and no other', () => {
  expect(Object.keys(scenarios).sort()).toEqual(SCENARIOS.map(({ id }) => id).sort());
});

test('the version is the package’s', async () => {
  const { version } = JSON.parse(await readFile(join(ROOT, 'libs/sdk/typescript/package.json'), 'utf8'));
  expect(sdk.VERSION).toBe(version);
});

test.concurrent.each(SCENARIOS)('$what', async ({ id }) => {
  const began = performance.now();
  outcomes.set(id, 'failed');
  await scenarios[id]!();
  outcomes.set(id, `${Math.round(performance.now() - began)} ms`);
});
