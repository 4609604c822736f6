import { chromium } from 'playwright-core';
import { inject } from 'vitest';
import { BROWSER, ensureSystemPackages } from '../../deploy/host/system-packages.ts';
import { startControls } from './controls.ts';
import { bundlePage } from './lanes/bundle.ts';
import { idsToRun } from './lanes/ids.ts';
import type { LaneSettings } from './lanes/settings.ts';
import { type RunScenarios, testLane } from './program.ts';
import { processes } from './scenarios/processes.ts';

const ARGS = ['--no-sandbox', '--disable-quic', '--disable-background-networking', '--disable-component-update'];

testLane(
  'TypeScript (browser)',
  runInPage,
  idsToRun((id) => !(id in processes)),
);

/** A page of another origin than the platform's, with the SDK in a bundle. */
async function runInPage(...[only, tell]: Parameters<RunScenarios>): Promise<string> {
  const { project, apiKey } = inject('sdk');
  await ensureSystemPackages((line) => process.stdout.write(`${line}\n`), [BROWSER]);
  await using controls = await startControls({ forPage: true });
  const browser = await chromium.launch({ executablePath: '/usr/bin/chromium', args: ARGS });
  try {
    const page = await browser.newPage();
    const faults: string[] = [];
    page.on('pageerror', (error) => faults.push(error.message));
    const settings: LaneSettings = { httpUrl: controls.httpUrl, apiKey, controls: controls.url, only: [...only] };
    await page.exposeFunction('ended', tell);
    await page.goto(`${controls.url}/page`);
    await page.evaluate((given) => Object.assign(globalThis, { laneSettings: given }), settings);
    await page.evaluate(`import(${JSON.stringify(asModule(await bundlePage(project)))})`);
    return faults.join('\n');
  } finally {
    await browser.close();
  }
}

const asModule = (code: string) => `data:text/javascript;base64,${Buffer.from(code).toString('base64')}`;
