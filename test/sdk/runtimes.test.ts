import { cp, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { execa } from 'execa';
import { describe, inject } from 'vitest';
import { makeOnce } from '../../deploy/build/made-once.ts';
import { BUILD, ROOT } from '../../deploy/host/root.ts';
import { startControls } from './controls.ts';
import { bundleProgram } from './lanes/bundle.ts';
import { idsToRun } from './lanes/ids.ts';
import type { LaneSettings } from './lanes/settings.ts';
import { runProgram, testLane } from './program.ts';

/** Apart from the project's own packages: a start does without these, which are large. */
const RUNTIMES = join(BUILD, 'runtimes');
const SOURCE = join(ROOT, 'test/sdk/runtimes');
const { project, httpUrl, apiKey } = inject('sdk');

const key = await readFile(join(SOURCE, 'package-lock.json'), 'utf8');
await makeOnce({ name: 'runtimes of JavaScript', key, outputs: [RUNTIMES] }, () => {}, installRuntimes);
const program = join(project, 'scenarios.mjs');
await bundleProgram(program);

describe.each([
  ['TypeScript (Bun)', 'bun', [], ['--eval']],
  ['TypeScript (Deno)', 'deno', ['run', '--allow-all', '--no-prompt'], ['eval']],
])('%s', (lane, command, args, evaluate) => {
  testLane(
    lane,
    async (only, tell) => {
      await using controls = await startControls();
      const settings: LaneSettings = { httpUrl, apiKey, controls: controls.url, evaluate, only: [...only] };
      const env = { LANE_SETTINGS: JSON.stringify(settings), DENO_DIR: join(RUNTIMES, 'deno'), NO_COLOR: '1' };
      const file = join(RUNTIMES, 'node_modules/.bin', command);
      return await runProgram({ command: file, args: [...args, program], cwd: project, env, controls }, tell);
    },
    idsToRun(),
  );
});

async function installRuntimes(): Promise<void> {
  await cp(SOURCE, RUNTIMES, { recursive: true });
  const npm = (...args: string[]) => execa('npm', [...args, '--no-audit', '--no-fund'], { cwd: RUNTIMES, all: true });
  await npm('install', '--prefer-offline', '--ignore-scripts');
  // Of the scripts of the two, which put their programs in place.
  await npm('rebuild', 'bun', 'deno');
}
