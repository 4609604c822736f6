import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

const root = join(import.meta.dirname, '..');

/** Tests that say so run side by side, as many as two cores bear. */
const SIDE_BY_SIDE = 4;

/** A poll waits for an event of real parts: how long that takes tells of the machine, that it never comes tells of a fault. */
const expect = { poll: { timeout: 20_000 } };

/** Tests with a whole platform run one file after the other: they share it, and the machine. */
const onPlatform = (name: string, timeout: number, setup = 'test/support/platform-setup.ts') => ({
  test: {
    name,
    root,
    expect,
    include: [`test/${name}/**/*.test.ts`],
    globalSetup: [setup],
    fileParallelism: false,
    testTimeout: timeout,
    hookTimeout: timeout,
    maxConcurrency: SIDE_BY_SIDE,
  },
});

/** What holds of an executor whatever runs its sandboxes. */
const ON_EVERY_BACKEND = [
  'cases',
  'checkers',
  'claims',
  'drain',
  'executions',
  'files',
  'neighbours',
  'pool',
  'processes',
  'recovery',
  'verdicts',
].map((name) => `test/integration/executor/${name}.test.ts`);

export default defineConfig({
  root,
  test: {
    projects: [
      {
        test: {
          name: 'unit',
          root,
          include: ['libs/**/*.test.ts', 'services/**/*.test.ts', 'deploy/**/*.test.ts', 'test/corpus/*.test.ts'],
          maxWorkers: 2,
          testTimeout: 30_000,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'integration',
          root,
          expect,
          include: ['test/integration/**/*.test.ts'],
          fileParallelism: false,
          maxConcurrency: SIDE_BY_SIDE,
          testTimeout: 60_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'start',
          root,
          expect,
          include: ['test/start/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 300_000,
        },
      },
      onPlatform('e2e', 120_000),
      onPlatform('hostile', 120_000),
      onPlatform('sdk', 60_000, 'test/sdk/setup.ts'),
      {
        test: {
          name: 'chaos',
          root,
          expect,
          include: ['test/chaos/**/*.test.ts'],
          fileParallelism: false,
          testTimeout: 300_000,
          hookTimeout: 120_000,
        },
      },
      {
        test: {
          name: 'kubernetes',
          root,
          expect,
          include: ['test/kubernetes/**/*.test.ts', ...ON_EVERY_BACKEND],
          globalSetup: ['test/support/cluster-setup.ts'],
          fileParallelism: false,
          maxConcurrency: SIDE_BY_SIDE,
          testTimeout: 120_000,
          hookTimeout: 120_000,
        },
      },
    ],
  },
});
